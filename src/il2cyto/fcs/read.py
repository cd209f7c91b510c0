"""Read one FCS data set over a memory map."""

from __future__ import annotations

from pathlib import Path

from il2cyto.errors import FcsError
from il2cyto.fcs.channels import row_layout, time_step
from il2cyto.fcs.dataset import Dataset, open_dataset
from il2cyto.fcs.scan import read_fcs_header
from il2cyto.fcs.spillover import already_compensated, read_spillover
from il2cyto.fcs.storage import byte_order, to_plain
from il2cyto.panel import Panel
from il2cyto.sample import Repair, Sample


def read_fcs(
    path: str | Path,
    panel: Panel | str | Path | None = None,
    *,
    dataset: int | None = None,
    encoding: str | None = None,
    strict: bool = False,
) -> Sample:
    """Read one data set of an FCS 2.0, 3.0, 3.1 or 3.2 file.

    Parameters
    ----------
    path
        The file. Events stay memory-mapped until they are used.
    panel
        Markers of the tube, or the ``panel.csv`` that holds them.
    dataset
        Number of the data set, from 0. ``None`` takes the first, and `repairs` says so where there are more: Beckman's
        LMD files hold the same run twice.
    encoding
        Python codec of keyword values (``gb18030``, ``latin-1``), ``None`` to detect it.
    strict
        Raise instead of reading over a deviation from the standard.

    Returns
    -------
    Sample
        ``sample.repairs`` lists every deviation and what was assumed.

    Raises
    ------
    FcsError
        If the file cannot be read: the message names the file, the value and what was wanted.
    PanelError
        If the panel file contradicts itself.

    Examples
    --------
    >>> import tempfile
    >>> from il2cyto.fcs import read_fcs, write_fcs
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_fcs([[1.0, 2.0], [3.0, 4.0]], folder + "/a.fcs", channels=["FSC-A", "CD4"])
    ...     sample = read_fcs(folder + "/a.fcs", strict=True)
    >>> sample.events
    array([[1., 2.],
           [3., 4.]])
    """
    path = Path(path)
    if isinstance(panel, (str, Path)):
        panel = Panel.from_csv(panel)
    opened = open_dataset(path, dataset or 0, encoding=encoding)
    sample = to_sample(opened, path, panel, also=_others(opened, path, encoding) if dataset is None else ())
    if strict and sample.repairs:
        raise FcsError(
            "{file}: deviates from the standard ({found_list}); read without strict to accept the repairs",
            file=path.name,
            found_list="; ".join(f"{repair.keyword}: {repair.found}" for repair in sample.repairs),
        )
    return sample


def to_sample(opened: Dataset, path: Path, panel: Panel | None = None, also: tuple[Repair, ...] = ()) -> Sample:
    """Make the sample of an opened data set; `also` are repairs that were found elsewhere."""
    head = opened.head
    repairs = [*opened.repairs, *also]
    step, found = time_step(head.keywords, head.channels)
    repairs += found
    order = byte_order(head.keywords, head.channels, head.name, repairs)
    data, widths, end, doubles = to_plain(
        opened.data, opened.place.storage, order, head.channels, opened.n_events, head.name
    )
    layout = row_layout(head.channels, widths, end, step, doubles=doubles)
    spillover = read_spillover(head.keywords, head.channels, repairs)
    return Sample(
        id=path.stem,
        data=data,
        layout=layout,
        channels=head.channels,
        n_events=opened.n_events,
        keywords=head.keywords,
        spillover=spillover,
        panel=panel,
        repairs=tuple(repairs),
        version=head.version,
        path=path,
        data_offset=head.start + opened.place.begin if data is opened.data else None,
        dataset=head.index,
        encoding=head.encoding,
        compensated=already_compensated(head.channels),
    )


def _others(opened: Dataset, path: Path, encoding: str | None) -> tuple[Repair, ...]:
    """Say that there is more than the first data set, and whether it is the same run again."""
    if opened.head.next_data is None:
        return ()
    written = opened.keywords["$NEXTDATA"].strip()
    try:
        follower = read_fcs_header(path, dataset=1, encoding=encoding)
    except FcsError:
        return (Repair("$NEXTDATA", f"{written}: a data set that cannot be read", "the first data set alone", True),)
    same = follower.n_events == opened.n_events and follower.version != opened.version
    what = f"the same run as {follower.version}" if same else f"another data set of {follower.n_events} events"
    return (Repair("$NEXTDATA", f"{written}: {what}", "the first data set; name another by its number", not same),)
