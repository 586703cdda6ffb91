"""How long a fact counts; the same for every rule."""

from cds_service.core.times import days, months

RECENT = days(30)  # potassium, magnesium, sodium, CRP: recent enough for a rule to act on
CHECKED = days(90)  # potassium, magnesium: counts as already checked
FRESH_RENAL = days(90)  # eGFR and creatinine; older ones, up to a year, are stale
YEAR = months(12)  # haemoglobin, platelets; potassium, magnesium and eGFR at the longest
IRON = months(6)  # ferritin and transferrin saturation
GLYCEMIA = months(36)  # HbA1c and glucose
PLATELETS = days(90)  # platelets as a contraindication
ORDERED = days(30)  # an active order counts for this long as if the test were on its way
