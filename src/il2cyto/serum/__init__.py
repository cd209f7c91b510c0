"""Serum analytes: from the wells of a plate to concentrations with their censoring."""

from il2cyto.serum.assay import Assay, quantify
from il2cyto.serum.fit import CurveFit, fit_curve
from il2cyto.serum.inverse import Concentrations, estimate_concentrations
from il2cyto.serum.limits import Acceptance, CurveLimits, curve_limits
from il2cyto.serum.logistic import Logistic
from il2cyto.serum.plates import Plate, read_kit, read_plate, read_plate_map, with_kit, with_map
from il2cyto.serum.pool import pool_fits
from il2cyto.serum.settings import AssaySettings
from il2cyto.serum.table import read_serum

__all__ = [
    "Acceptance",
    "Assay",
    "AssaySettings",
    "Concentrations",
    "CurveFit",
    "CurveLimits",
    "Logistic",
    "Plate",
    "curve_limits",
    "estimate_concentrations",
    "fit_curve",
    "pool_fits",
    "quantify",
    "read_kit",
    "read_plate",
    "read_plate_map",
    "read_serum",
    "with_kit",
    "with_map",
]
