"""What results may say of a file: nothing that stood in it as text, and not its name.

A patient's name can stand in any keyword of an FCS file, in its name and in the names of folders. Results carry ids of
the sheet, hashes and names that the study declares; the whole messages go to the screen and to ``paths.csv``.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from il2cyto.sample import Repair, Sample

WITHHELD = "(withheld)"
#: Where the reader of a table finds what was withheld.
ELSEWHERE = "(see paths.csv)"

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
#: Keywords and segments whose value is a number, an offset or a list of them by its nature.
_LAYOUT = re.compile(
    r"HEADER(?: (?:TEXT|DATA|ANALYSIS))?|\$(?:BEGIN|END)(?:DATA|STEXT|ANALYSIS)|\$NEXTDATA|\$TOT|\$PAR|\$BYTEORD"
    r"|\$TIMESTEP|\$P(?:[0-9]{1,6}|n)[BREG]"
)
#: Keywords and segments whose name tells nothing of a patient: those of FCS 2.0 to 3.2, and names of matrices.
_KNOWN = re.compile(
    r"TEXT|DATA|ANALYSIS|OTHER|CRC|SPILL|SPILLOVER|COMP|\$P(?:[0-9]{1,6}|n)(?:[A-Z]|CALIBRATION|DATATYPE|TYPE|TAG|DET"
    r"|ANALYTE|FEATURE)|\$DFC(?:[0-9]{1,3}|i)TO(?:[0-9]{1,3}|j)|\$(?:ABRT|BTIM|CARRIERID|CARRIERTYPE|CELLS|COM|COMP|CSMODE"
    r"|CSVBITS|CYT|CYTSN|DATATYPE|DATE|ENDDATETIME|BEGINDATETIME|ETIM|EXP|FIL|FLOWRATE|GATE|GATING|INST|LAST_MODIFIED"
    r"|LAST_MODIFIER|LOCATIONID|LOST|MODE|OP|ORIGINALITY|PLATEID|PLATENAME|PROJ|SMNO|SPILL|SPILLOVER|SRC|SYS|TR"
    r"|UNICODE|UNSTAINEDCENTERS|UNSTAINEDINFO|VOL|WELLID)"
)
_NUMBERS = re.compile(rf"missing|(?:{_NUMBER}|HEADER|TEXT|to|and|or|\?|missing|[ ,:])+")


def plain_number(text: str) -> str | None:
    """Return a keyword's value if it is a positive decimal number of ordinary length, else ``None``.

    Examples
    --------
    >>> plain_number(" 87.5 "), plain_number("Lee, Ann"), plain_number("nan")
    ('87.5', None, None)
    """
    stripped = text.strip()
    return stripped if len(stripped) <= 40 and re.fullmatch(_NUMBER, stripped) else None


def file_texts(sample: Sample) -> frozenset[str]:
    """Return every piece of text of a file that could name somebody: values and names of channels, in lower case."""
    texts = {value.strip().casefold() for value in sample.keywords.values()}
    texts |= {name.strip().casefold() for channel in sample.channels for name in (channel.pnn, channel.pns)}
    # one letter names nobody in any script, two do in Chinese; nearly every file has a channel called Time
    shortest = {text: 3 if text.isascii() else 2 for text in texts - {"time"}}
    return frozenset(text for text, length in shortest.items() if len(text) >= length and not plain_number(text))


def public_repair(repair: Repair, texts: Collection[str]) -> tuple[str, str, str, bool]:
    """Return keyword, what stood there, what was assumed and whether it matters, as results may carry them.

    The keyword is told if the standard knows it; what stood there if it is numbers where numbers belong; what was
    assumed if none of `texts`, the file's own, stands in it.

    Examples
    --------
    >>> public_repair(Repair("$P3E", "4,0", "4,1", True), ())
    ('$P3E', '4,0', '4,1', True)
    >>> public_repair(Repair("PATIENT", "'Lee' and '123'", "the first value", True), {"lee"})
    ('(withheld)', '(withheld)', 'the first value', True)
    """
    layout = bool(_LAYOUT.fullmatch(repair.keyword))
    keyword = repair.keyword if layout or _KNOWN.fullmatch(repair.keyword) else WITHHELD
    found = repair.found if len(repair.found) <= 200 and _tells_numbers(repair.found, layout) else WITHHELD
    assumed = WITHHELD if any(_has(repair.assumed.casefold(), text) for text in texts) else repair.assumed
    return keyword, found, assumed, repair.affects_numbers


def _has(phrase: str, text: str) -> bool:
    """Whether a text stands in a phrase as a whole: the value LIN tells nothing of a phrase with `linear`."""
    return text in phrase and bool(re.search(rf"(?<!\w){re.escape(text)}(?!\w)", phrase))


def _tells_numbers(found: str, layout: bool) -> bool:
    return found == "missing" or (layout and bool(_NUMBERS.fullmatch(found)))


def public_message(kind: str, public: str, tube_id: str) -> str:
    """Return the message of an error of a tube as results carry it.

    Parameters
    ----------
    kind
        Name of the error's class.
    public
        `Il2CytoError.public`, empty where nothing in the message is known to be safe.
    tube_id
        Stands for the file's name.

    Examples
    --------
    >>> public_message("FcsError", "(file): $TOT is (withheld), wanted a number", "T1")
    'T1: $TOT is (see paths.csv), wanted a number'
    >>> public_message("FcsError", "", "T1")
    'T1: the file could not be read; paths.csv has the whole message'
    """
    if not public:
        return f"{tube_id}: {_WHAT.get(kind, 'the tube could not be gated')}; paths.csv has the whole message"
    told = public.replace("(file)", tube_id).replace(WITHHELD, ELSEWHERE)
    return told if tube_id in told else f"{tube_id}: {told}"


_WHAT = {
    "FcsError": "the file could not be read",
    "PanelError": "the panel does not fit the file",
    "CompensationError": "a spillover matrix cannot be used",
    "StrategyError": "the strategy does not hold together or does not fit the file",
    "GatingMLError": "the file of gates could not be read",
}
