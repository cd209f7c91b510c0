"""What a study may say for its MIFlowCyt record: the items that no file can fill.

MIFlowCyt: Lee et al., Cytometry A 73:926-930 (2008), https://doi.org/10.1002/cyto.a.20623
"""

from __future__ import annotations

from collections.abc import Mapping

#: Key of ``miflowcyt:`` in study.yaml → number and name of the item of the standard.
ITEMS: Mapping[str, tuple[str, str]] = {
    "purpose": ("1.1", "Purpose"),
    "keywords": ("1.2", "Keywords"),
    "variables": ("1.3", "Experiment variables"),
    "organisation": ("1.4", "Organisation"),
    "contact": ("1.5", "Primary contact"),
    "date": ("1.6", "Date"),
    "conclusions": ("1.7", "Conclusions"),
    "quality_control": ("1.8", "Quality control measures"),
    "material": ("2.1", "Sample or specimen material"),
    "source": ("2.1", "Sample source"),
    "organism": ("2.1", "Source organism"),
    "age": ("2.1", "Age"),
    "sex": ("2.1", "Sex"),
    "phenotype": ("2.1", "Phenotype"),
    "characteristics": ("2.2", "Sample characteristics"),
    "treatment": ("2.3", "Sample treatment"),
    "reagents": ("2.4", "Reagents: clones, manufacturers, catalogue and lot numbers"),
    "manufacturer": ("3.1", "Instrument manufacturer"),
    "model": ("3.2", "Instrument model"),
    "configuration": ("3.3", "Instrument configuration and settings"),
    "data_location": ("4.1", "List-mode data files"),
    "compensation": ("4.2", "Compensation"),
    "transformation": ("4.3", "Data transformation"),
    "gating": ("4.4", "Gating"),
}
