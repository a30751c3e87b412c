"""What a file's name makes a computer do with it, and what it makes a person believe (R40).

Owns the extensions that matter, and the readings of a name. Must not know what files hold.
"""

from __future__ import annotations

import re
from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What a click runs; Gmail and Outlook refuse most of these by name alone.
PROGRAMS: Final = _words(
    """
    ade adp apk app appinstaller application appref-ms appx appxbundle chm com cpl deb diagcab
    diagcfg diagpack dll dmg drv ex ex_ exe gadget grp hlp img ins iso isp jar jnlp library-ms lnk
    mad mag mam maq mau mav maw mda mde mdt mdw mdz msc msi msix msixbundle msp mst nsh ocx ops
    pcd pif pkg prg rpm scf scr search-ms settingcontent-ms shb shs sys url vhd vhdx vxd website
    wiz xll xnk
    """
)
SCRIPTS: Final = _words(
    """
    bas bat cmd command csh fxp hta inf iqy its js jse ksh mjs msh msh1 msh1xml msh2 msh2xml mshxml
    ps1 ps1xml ps2 ps2xml psc1 psc2 psd1 psm1 reg sct shortcut slk vb vba vbe vbp vbs wsc wsf wsh
    xbap
    """
)
PAGES: Final = _words("htm html mht mhtml shtm shtml svg xhtm xhtml")
_FAMILIARS: Final = _words(
    """
    7z avi bmp csv doc docm docx dot dotx eml gif heic ics jpeg jpg key m4a mkv mov mp3 mp4 msg
    numbers odp ods odt pages pdf png pps ppsx ppt pptx rar rtf tif tiff txt vcf wav webp xls xlsb
    xlsm xlsx zip
    """
)

# What an extension promises: a family of kinds, or their group (`filetypes.Kind`).
PROMISES: Final[dict[str, str]] = {
    extension: family
    for family, extensions in {
        "office": "doc docm docx dot dotm dotx odp ods odt pps ppsx ppt pptm pptx rtf xls xlsb "
        "xlsm xlsx xlt xltx",
        "image": "bmp gif heic heif ico jpe jpeg jpg png svg tif tiff webp",
        "media": "avi m4a m4v mkv mov mp3 mp4 ogg wav webm",
        "archive": "7z bz2 gz rar tar tgz xz zip",
        "text": "csv htm html txt xhtml xml",
        "message": "eml msg",
        "pdf": "pdf",
        "onenote": "one",
        "epub": "epub",
    }.items()
    for extension in extensions.split()
}
# A declared type from which a mail program without a name would choose the extension.
DECLARED: Final[dict[str, str]] = {
    "application/hta": "hta",
    "application/java-archive": "jar",
    "application/javascript": "js",
    "application/vnd.android.package-archive": "apk",
    "application/vnd.microsoft.portable-executable": "exe",
    "application/x-bat": "bat",
    "application/x-dosexec": "exe",
    "application/x-iso9660-image": "iso",
    "application/x-javascript": "js",
    "application/x-ms-shortcut": "lnk",
    "application/x-msdos-program": "exe",
    "application/x-msdownload": "exe",
    "application/x-msi": "msi",
    "application/x-vbs": "vbs",
    "text/javascript": "js",
    "text/vbscript": "vbs",
}

_OVERRIDES: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_UNSEEN: Final = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u2060-\u2064\ufeff\ufffd]")
_SPACES: Final = re.compile("[\\s\u3164\u115f\u1160]{8}")
_CLASS_ID: Final = re.compile(r"\.\{[0-9A-Fa-f-]{30,40}\}")


def extensions(name: str) -> tuple[str, ...]:
    """The extensions, in lower case, by which some system would open a file of this name.

    Windows drops dots and spaces at the end and takes what follows a colon for a stream; unseen
    characters and overrides of direction are no part of what is typed.
    """
    found: dict[str, None] = {}
    plain = _UNSEEN.sub("", _OVERRIDES.sub("", name)).replace("\\", "/").rpartition("/")[2]
    for reading in (plain, plain.partition(":")[0], plain.partition("\0")[0]):
        base = reading.strip("\"'").rstrip(". \t\r\n\xa0\u3000")
        _, dot, extension = base.rpartition(".")
        if dot and 0 < len(extension) <= 20:
            found[extension.strip().lower()] = None
    return tuple(found)


def deceptions(name: str) -> tuple[str, ...]:
    """In which ways a name hides what it is or where it goes, in words; () for an honest one."""
    found = []
    last = extensions(name)
    runs = any(e in PROGRAMS or e in SCRIPTS for e in last)
    if _OVERRIDES.search(name):
        found.append("its letters are shown in another order")
    if _CLASS_ID.search(name):
        found.append("it ends with the number of a Windows class")
    if (runs or any(e in PAGES for e in last)) and _second(name) in _FAMILIARS:
        found.append(f"it looks like a .{_second(name)} and is a .{last[0]}")
    if runs and (_SPACES.search(name) or name.rstrip()[-1:] == "."):
        found.append("its extension is kept out of sight")
    if runs and ":" in name.replace("\\", "/").rpartition("/")[2]:
        found.append("it names a stream within another file")
    if ".." in name.replace("\\", "/").split("/"):
        found.append("it leads out of the folder it is unpacked in")
    return tuple(found)


def _second(name: str) -> str:
    """The extension before the last: "pdf" of "invoice.pdf.exe" and of "invoice.pdf   .exe"."""
    pieces = _UNSEEN.sub("", _OVERRIDES.sub("", name))[-200:].rstrip(". ").lower().rsplit(".", 2)
    return pieces[1].strip(" _-") if len(pieces) == 3 else ""
