"""People, sites, groups and accounts: every reference resolves, or its place is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support import cost

from mailguard.config.directory.people import load_directory
from mailguard.core.people.district import District

DISTRICT = District(
    "Example", "EX", ("example.org",), "spammail@example.org", "pm@example.org", "mx.example.org"
)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a,Ann,ann@example.com,,,,,", "people.csv:2:7: a: addresses: the main address"),
        ("a,Ann,ann,,,,,", "2:7: a: addresses: 'ann' is no mail address"),
        ("a,Ann,,,,,,", "2:7: a: addresses: is missing"),
        ("a,,a@example.org,,,,,", "2:3: a: name: is missing"),
        (",Ann,a@example.org,,,,,", "2:1: id: is missing"),
        ("a,Ann,a@example.org,,,pope,,", "a: roles: 'pope' is no role; allowed: superintendent"),
        ("a,Ann,a@example.org,,,principle,,", "did you mean 'principal'?"),
        ("a,Ann,a@example.org,elm,,,,", "2:21: a: sites: 'elm' is not known; allowed: oak"),
        ("a,Ann,a@example.org,,,,bob,", "a: supports: 'bob' is not known"),
        (
            "a,Ann,a@example.org,,,,,no",
            "a: protected: 'no' does not fit here; allowed: true, false",
        ),
        ("a,Ann,a@example.org,,,,,\na,Ann,b@example.org,,,,,", "3:1: a: id: 'a' comes twice"),
        (
            "a,Ann,a@example.org,,,,,\nb,Bob,A@example.org,,,,,",
            "3:7: b: addresses: 'a@example.org' belongs to person a already",
        ),
        ("a,Ann,chess@example.org,,,,,", "belongs to person a already"),
        ("a,Ann,a@example.org,,,,,,,", "10 cells under 8 columns"),
        ('a,"Ann,a@example.org,,,,,', "is not CSV"),
        ('"a","An""n, x","ann",,,,,', "2:16: a: addresses: 'ann' is no mail address"),
    ],
)
def test_people_errors(tree: Any, people: Callable[[str], None], rows: str, said: str) -> None:
    people(rows + "\n")
    errors = tree.errors()
    assert any(said in error for error in errors), errors


def test_errors_of_all_rows_come_at_once(tree: Any, people: Callable[[str], None]) -> None:
    people("a,Ann,bad,,,,,\nb,Bob,b@example.org,elm,,king,,\n")
    errors = [error for error in tree.errors() if error.startswith("directory/people.csv")]
    assert len(errors) == 3


def test_header_errors(tree: Any) -> None:
    tree.write("directory/people.csv", "id,name,adresses,name\na,Ann,a@example.org,x\n")
    errors = "\n".join(tree.errors())
    assert "people.csv:1:9: adresses: 'adresses' is no column here, did you mean" in errors
    assert "name: comes twice" in errors
    assert "the column 'addresses' is missing" in errors
    tree.write("directory/people.csv", "")
    assert "is empty" in tree.error()


def test_columns_in_any_order_quotes_and_bom(tree: Any) -> None:
    tree.write(
        "directory/people.csv",
        '\ufeffname,roles,id,addresses\r\n"Pine, Paula",,ppine,'
        " P.Pine@Example.org ;p@example.com\r\n\r\nTara,principal;cfo,tolive,t@example.org\r\n",
    )
    directory = tree.load().snapshot.directory
    assert directory.people["ppine"].name == "Pine, Paula"
    assert directory.people["ppine"].addresses == ("p.pine@example.org", "p@example.com")
    assert directory.people["tolive"].roles == ("principal", "cfo")


def test_personal_addresses_are_single_ones_outside(tree: Any) -> None:
    def people(*cells: str) -> None:
        rows = [f"p{n},P{n},p{n}@example.org,{cell}\n" for n, cell in enumerate(cells)]
        head = "id,name,addresses,personal_addresses\n"
        tree.write(
            "directory/people.csv",
            head + "ppine,P,p@example.org,\ntolive,Tara,t@example.org,\n" + "".join(rows),
        )

    people("A.B@home.test; c@mailbox.test")
    directory = tree.load().snapshot.directory
    assert directory.people["p0"].personal_addresses == ("a.b@home.test", "c@mailbox.test")
    assert directory.people["tolive"].personal_addresses == ()
    assert directory.person_at("a.b@home.test") is None  # outside stays outside
    for wrong, said in (
        ("home.test", "personal_addresses: 'home.test' is no mail address"),
        ("x@example.org", "personal_addresses: 'x@example.org' is at a domain of the district"),
        ("t@example.org", "is at a domain of the district"),
    ):
        people(wrong)
        assert any(said in error for error in tree.errors()), tree.errors()
    people("a@home.test", "A@home.test")
    assert "'a@home.test' belongs to person p0 already" in "".join(tree.errors())


def test_people_as_yaml(tree: Any) -> None:
    written = (
        "ppine: {name: Paula, addresses: [p@example.org], protected: false}\n"
        "tolive: {name: Tara, addresses: [t@example.org], roles: [cfo]}\n"
    )
    tree.write("directory/people.yaml", written)
    assert "people.csv is there as well" in tree.error()
    (tree.root / "directory" / "people.csv").unlink()
    assert not tree.load().snapshot.directory.people["ppine"].protected
    tree.write("directory/people.yaml", written.replace("[cfo]", "cfo"))
    assert "people.yaml:2:57: tolive.roles: 'cfo' does not fit here" in tree.error()


GROUP = "g@example.org:\n  name: G\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GROUP + "  audience: all\n", "allowed: site, district, custom"),
        (GROUP + "  audience: site\n", "audience site with 0 sites; allowed: exactly one site"),
        (GROUP + "  audience: district\n  outside: true\n", "never open to outside senders"),
        (GROUP + "  sites: [elm]\n", "'elm' is not known"),
        (GROUP + "  members: [ann]\n", "groups.yaml:3:12: g@example.org.members: 'ann' is not"),
        (GROUP + "  members: [h@example.org]\n", "'h@example.org' is not known"),
        (GROUP + "  owner: ann\n", "g@example.org.owner: 'ann' is not known"),
        (GROUP + "  senders: [ann]\n", "senders: 'ann' is not known"),
        (GROUP + "  member: [ann]\n", "did you mean 'members'?"),
        (GROUP + GROUP, "comes twice"),
        (GROUP + GROUP.upper().replace("NAME", "name"), "comes twice, in another spelling"),
        (GROUP.replace(".org", ".com"), "is at none of the district's domains"),
        (GROUP.replace("g@", "paula.pine@"), "belongs to person ppine already"),
        (GROUP.replace("g@example.org", "g"), "'g' is no mail address"),
        (
            GROUP + "  members: [h@example.org]\nh@example.org:\n  name: H\n"
            "  members: [G@example.org]\n",
            "the groups contain each other: g@example.org > h@example.org > g@example.org",
        ),
        (GROUP + "  members: [g@example.org]\n", "g@example.org > g@example.org"),
        (
            GROUP + "  members: [h@example.org]\nh@example.org: {name: H, audience: district}\n",
            "reaches all employees of a district",
        ),
    ],
)
def test_group_errors(tree: Any, text: str, said: str) -> None:
    tree.write("directory/groups.yaml", text)
    assert any(said in error for error in tree.errors())


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("x,,nobody", "accounts.csv:2:4: x: owner: 'nobody' is not known"),
        ("x,,", "an account without an owner sends as nobody"),
        ("x,bad,", "'bad' is no mail address"),
        ("x,,tolive\nX,,tolive", "3:1: x: login: 'x' comes twice"),
        (",,tolive", "login: is missing"),
    ],
)
def test_account_errors(tree: Any, rows: str, said: str) -> None:
    tree.write("directory/accounts.csv", f"login,addresses,owner\n{rows}\n")
    assert any(said in error for error in tree.errors())


def test_devices_have_no_owner(tree: Any) -> None:
    tree.write("directory/accounts.csv", "login,addresses,kind\nCopier,copier@example.org,device\n")
    account = tree.load().snapshot.directory.account_for("COPIER")
    assert account.owner is None
    assert account.addresses == ("copier@example.org",)


def test_site_administrators_must_be_people(tree: Any) -> None:
    tree.write("directory/sites.yaml", "oak: {name: Oak, kind: scool, administrators: [x]}\n")
    assert "did you mean 'school'?" in "\n".join(tree.errors())
    tree.write("directory/sites.yaml", "oak: {name: Oak, administrators: [x]}\n")
    assert "oak.administrators: 'x' is not known" in tree.error()


def test_a_long_chain_of_groups_is_no_recursion(tree: Any) -> None:
    chain = "".join(
        f"g{i}@example.org: {{name: G, members: [g{i + 1}@example.org]}}\n" for i in range(3_000)
    )
    tree.write("directory/groups.yaml", chain + "g3000@example.org: {name: G}\n")
    assert len(tree.load().snapshot.directory.groups) == 3_001


def people(root: Path, head: str, row: str, count: int) -> Path:
    """A configuration's folder with so many people."""
    folder = root / str(count) / "directory"
    folder.mkdir(parents=True)
    (folder / "sites.yaml").write_text("oak: {name: Oak}\n")
    rows = "".join(row.format(n=number) for number in range(count))
    (folder / "people.csv").write_text(f"{head}\n{rows}")
    return folder.parent


def test_people_load_in_linear_time(tmp_path: Path) -> None:
    head = "id,name,addresses,sites,classifications"
    row = "p{n},Person {n},p{n}@example.org,oak,teacher\n"

    def loaded(folder: Path) -> None:
        assert len(load_directory(folder, DISTRICT).people) == int(folder.name)

    cost.assert_linear(cost.Growing(lambda n: people(tmp_path, head, row, n), 10_000), loaded)


def test_many_wrong_rows_stay_cheap(tmp_path: Path) -> None:
    head, row = "id,name,addresses,sites", "p{n},P,p{n}@example.org,elm\n"

    def refused(folder: Path) -> None:
        with pytest.raises(Exception, match=f"and {int(folder.name) - 200} more errors"):
            load_directory(folder, DISTRICT)

    cost.assert_linear(cost.Growing(lambda n: people(tmp_path, head, row, n), 10_000), refused)
