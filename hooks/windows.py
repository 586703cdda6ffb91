"""How long a fact counts, for every rule alike."""

from cds_service.core.times import days, months

ACT = days(30)  # potassium, magnesium, sodium, CRP: a rule acts on them
CHECKED = days(90)  # potassium, magnesium: already checked
FRESH_RENAL = days(90)  # eGFR and creatinine; older ones, up to a year, are stale
YEAR = months(12)  # haemoglobin, platelets; the outer end of potassium, magnesium and eGFR
IRON = months(6)  # ferritin and transferrin saturation
GLYCEMIA = months(36)  # HbA1c and glucose
PLATELETS = days(90)  # platelets as a contraindication
ORDERED = days(30)  # an active order still counts as the test
