"""The rules that `leg-cramps-patient-view` asks when a chart is opened, in catalogue order.

Cards of equal severity are displayed in this order; `first-line-measures` is last, before the
rule that reviews the outcomes of the others.
"""

from cds_service.engine.rule import Rule
from hooks.rules.analgesics import analgesic_use
from hooks.rules.anemia import anemia
from hooks.rules.baclofen_active import baclofen_active_renal_impairment
from hooks.rules.cirrhosis import cirrhosis_cramps
from hooks.rules.cramp_inducing import cramp_inducing_medication
from hooks.rules.data_not_usable import data_not_usable
from hooks.rules.diabetes import diabetes_not_screened
from hooks.rules.electrolytes_not_checked import electrolytes_not_checked
from hooks.rules.first_line import first_line_measures
from hooks.rules.high_potassium import high_potassium
from hooks.rules.iron import low_ferritin
from hooks.rules.low_magnesium import low_magnesium
from hooks.rules.low_potassium import low_potassium
from hooks.rules.magnesium_benefit import magnesium_not_indicated
from hooks.rules.magnesium_in_renal_impairment import magnesium_in_renal_impairment
from hooks.rules.metabolic_cause import metabolic_cause_found
from hooks.rules.nerve import neuropathy_mimic
from hooks.rules.quinine import quinine_active
from hooks.rules.referral import specialist_referral
from hooks.rules.restless_legs import ferritin_not_checked, restless_legs_mimic
from hooks.rules.vascular import claudication_mimic, dvt_mimic

RULES: tuple[Rule, ...] = (
    low_magnesium,
    low_potassium,
    high_potassium,
    low_ferritin,
    anemia,
    electrolytes_not_checked,
    ferritin_not_checked,
    restless_legs_mimic,
    cirrhosis_cramps,
    quinine_active,
    magnesium_in_renal_impairment,
    magnesium_not_indicated,
    claudication_mimic,
    neuropathy_mimic,
    diabetes_not_screened,
    cramp_inducing_medication,
    analgesic_use,
    specialist_referral,
    baclofen_active_renal_impairment,
    metabolic_cause_found,
    dvt_mimic,
    # cds-service new-rule adds above this line
    first_line_measures,
    data_not_usable,
)
