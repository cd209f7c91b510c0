"""The run of a study, step by step: gate each tube, gather visits, link serum, model, report."""
