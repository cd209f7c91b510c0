"""Wells of immunoassay plates, out of the files that readers and their programs write."""

from il2cyto.serum.plates.maps import read_kit, read_plate_map, with_kit, with_map
from il2cyto.serum.plates.read import FORMATS, read_plate
from il2cyto.serum.plates.wells import WELL_COLUMNS, Plate

__all__ = [
    "FORMATS",
    "WELL_COLUMNS",
    "Plate",
    "read_kit",
    "read_plate",
    "read_plate_map",
    "with_kit",
    "with_map",
]
