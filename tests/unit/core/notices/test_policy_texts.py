"""The prescribed texts, byte for byte as the policies have them."""

from mailguard.core.notices import policy_texts

V1 = (
    "Your email message has been blocked as a possible Spam email by the EGUSD Mail Filtering "
    "System.  If you feel your message is not spam mail and should have gone through unblocked, "
    "please forward the blocked message to spammail@egusd.net, and we will research your request "
    "in a timely manner.  Thank you for your cooperation."
)
V2 = (
    "Hello,\n\nI wanted to verify that the email address below is a valid sender to you.\n\n"
    "Thanks,\n\nxxxxx xxxxxx\n\nEmail Administrator\n\nEGUSD \u2013 Technology Services\n\n"
    "xxxxxxxx@egusd.net"
)
V3 = (
    "CONFIDENTIALITY NOTICE: If you have received this e-mail in error, please immediately notify "
    "the sender by e-mail address shown. This e-mail transmission may contain confidential "
    "information in its message or in an attachment. The information is intended only for the use "
    "of the individual(s) or entity to whom it is addressed. Any inappropriate disclosure, "
    "distribution, copying or use of the information by others is strictly prohibited. Please "
    "delete it from your files if you are not the intended recipient. Thank you for your "
    "compliance."
)
V4 = (
    "This message has been sent to you from the (title) of Stafford (name of school) School and "
    "contains information which is confidential and/or privileged. If you are not the intended "
    "recipient, please advise the sender immediately by reply e-mail and delete this message and "
    "any attachments without retaining a copy. Thank you."
)
V5 = "Technology Services is proceeding to facilitate the request received via person/phone"
V6 = "sent by \u2026. on behalf of (administrator)"


def test_v1() -> None:
    made = policy_texts.V1_BLOCK_NOTICE.format(short_name="EGUSD", spammail="spammail@egusd.net")
    assert made.encode() == V1.encode()


def test_v2() -> None:
    made = policy_texts.V2_VERIFICATION.format(
        administrator="xxxxx xxxxxx", short_name="EGUSD", mailbox="xxxxxxxx@egusd.net"
    )
    assert made.encode() == V2.encode()


def test_v3() -> None:
    assert policy_texts.V3_DISCLAIMER.encode() == V3.encode()


def test_v4() -> None:
    made = policy_texts.V4_STATEMENT.format(
        title="(title)", school="Stafford (name of school) School"
    )
    assert made.encode() == V4.encode()


def test_v5() -> None:
    assert policy_texts.V5_CONFIRMATION.encode() == V5.encode()


def test_v6() -> None:
    made = policy_texts.V6_DELEGATE.format(assistant="\u2026.", administrator="(administrator)")
    assert made.encode() == V6.encode()
