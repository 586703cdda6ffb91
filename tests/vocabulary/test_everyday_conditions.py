"""Conditions, reasons and orders as records write them, in English and other languages."""

from __future__ import annotations

from hooks.knowledge.vocabulary import CONDITIONS, ORDERS

# The concepts, then the texts that name them, one per line.
TEXTS_OF = {
    "ckd_any ckd_stage_4_5": """
Renal failure, end-stage
Kidney failure, terminal
End-stage kidney disease
CKD stage 4T
CKD stage 5T
CKD 4T
Chronic kidney disease stage 4T
CKD stage 4/5
Niereninsuffizienz Stadium 4
Chronische Niereninsuffizienz Stadium IV
Chronische Nierenkrankheit Stadium 4
Terminale Niereninsuffizienz
Insuffisance rénale terminale
Insuffisance rénale chronique stade 4
Enfermedad renal crónica estadio 4
Insuficiencia renal terminal
Insufficienza renale terminale
Terminale nierinsufficiëntie
Uraemia
Uremia
Uremic syndrome
""",
    "dialysis": """
On CVVH
CRRT
CVVHD
CVVHDF started
On SLED
Continuous renal replacement
Haemofiltration
Haemodiafiltration
HD MWF
HD TTS
HD Tues/Thurs/Sat
Home HD
iHD
on HD
HD three times weekly
Dialysepflicht
Dialysepflichtig
Hämodialyse
Hémodialyse
HD line infection
Hypotension during HD
""",
    "ckd_any ckd_stage_3": """
CKD stage 3bT
CKD stage 3, 4 weeks ago seen
""",
    "ckd_any ckd_stage_3 ckd_stage_4_5": """
CKD stage 3b/4
CKD stage 3-4
CKD 3b/4
Stage 3b/4 CKD
""",
    "ckd_any ckd_stage_4_5 dialysis": """
ESKD on HD TTS
Dialysepflichtige Niereninsuffizienz
""",
    "ckd_any": """
Insuffisance rénale chronique
Niereninsuffizienz, keine Dialyse
CKD stage 2
""",
    "aki": """
Insuffisance rénale aiguë
Akutes Nierenversagen
Anuria
Anuric
Oligoanuria
""",
    "": """
nicht dialysepflichtig
sans dialyse
No anuria
Huntington disease (HD)
HD
Hip dysplasia
SLED dog racing
Patient not on HD
keine Leberzirrhose
keine Wadenkrämpfe
pas de crampes nocturnes
sin calambres nocturnos
calambres abdominales
Crampes abdominales
Crampes menstruelles
Fieberkrampf
Krampfadern
Facial PIH after acne
Post-inflammatory hyperpigmentation (PIH)
PET scan
PET-CT
PET/CT
Pet allergy
FDG PET
Allergy to pet dander
Preeclampsia prophylaxis with aspirin
History of preterm labor
History of gestational hypertension
Seizure disorder
Seizure
Exercise-induced bronchospasm
COPD
Asthma
Baclofen pump in situ
Phlebitis and thrombophlebitis of superficial vessels of left lower extremity
Thrombophlebitis of deep veins of upper extremity
VTE prophylaxis
Superficial thrombophlebitis of leg
Abdominal compartment syndrome
Chronic exertional compartment syndrome
Compartment syndrome of forearm
Umbilical cord compression
Numbness of left hand
No evidence of metastases
Prostate cancer
Exercise tolerance more than 4 METs
On HD methotrexate
COPD without acute exacerbation
History of COPD exacerbation
Has not met criteria for dialysis
Cervical spinal nerve root compression
Post-op urinary retention resolved
Hyperkalemia resolved
Potassium high normal
off CRRT
""",
    "thrombocytopenia": """
Hemolytic uremic syndrome
Haemolytic-uraemic syndrome
""",
    "ckd_any dialysis": """
CRF on dialysis
""",
    "cirrhosis liver_disease": """
Leberzirrhose
Leberzirrhose Child B
Cirrhose hépatique
Cirrosis hepática
Cirrosi epatica
Leberzirrhose ohne Aszites
""",
    "leg_cramps": """
Wadenkrämpfe
Nächtliche Wadenkrämpfe
Beinkrämpfe
Muskelkrämpfe
crampes nocturnes
Crampes musculaires
Crampes des mollets
crampes dans les jambes
calambres nocturnos
Calambres musculares
calambres en las piernas
Crampi notturni
crampi muscolari
crampi alle gambe
Kuitkrampen
Nachtelijke kuitkrampen
Cãibras noturnas
""",
    "eclampsia pregnancy": """
Seizure in pregnancy
Gestational hypertension with severe features
Gestational hypertension
Pregnancy-induced hypertension
PET in pregnancy
Severe hypertension in pregnancy
Hypertensive disorder of pregnancy
Gestational hypertension, not in preterm labor
""",
    "eclampsia": """
Seizures postpartum
PIH
PET
Severe PET
Severe range blood pressures
Severe-range BPs
Seizure prophylaxis
Eclampsia prophylaxis
Prevention of eclampsia
Eclamptic fit
Preterm labour
Preterm labor
Threatened preterm labour
PPROM
Superimposed preeclampsia
""",
    "pregnancy": """
PET scan in pregnancy
Seizure disorder in pregnancy
Fit for pregnancy
Pregnant, no seizures
Schwangerschaft
Grossesse
Embarazo
Gravidanza
Twin pregnancy
Hyperemesis gravidarum
""",
    "arrhythmia long_qt": """
Long QT with torsade
Torsade de pointes
Prolonged QT
""",
    "arrhythmia": """
Digoxin toxicity
Digitalis intoxication
Digoxin poisoning
Atrial fibrillation with RVR
AF with RVR
A-fib with RVR
Polymorphic VT
VF arrest
""",
    "asthma_severe": """
Bronchospasm
COPD exacerbation
Acute exacerbation of COPD
AECOPD
Acute exacerbation of chronic obstructive pulmonary disease
Acute asthma, life-threatening
""",
    "baclofen_withdrawal": """
Baclofen withdrawal
Baclofen withdrawal syndrome
ITB withdrawal
Intrathecal baclofen withdrawal
Intrathecal baclofen pump failure
Withdrawal from baclofen
Baclofen pump malfunction
Prevent baclofen withdrawal
""",
    "alcohol_use": """
Alcohol withdrawal
""",
    "hyperkalemia": """
Hyperkalaemia
Raised potassium
Hyperkaliämie
Hyperpotassaemia
Hiperpotasemia
Increased potassium
""",
    "arrhythmia congenital_long_qt long_qt": """
Congenital long QT
Congenital long QT syndrome
""",
    "congenital_long_qt long_qt": """
LQT2
Romano-Ward syndrome
""",
    "limb_ischaemia_acute limb_or_spine_emergency pad": """
Acute limb ischaemia
Acute limb ischemia of left leg
Acute ischaemia of right leg
Acute-on-chronic limb ischaemia
Acute lower limb ischaemia
Femoral artery embolism
Acute popliteal artery occlusion
Embolism and thrombosis of arteries of the lower extremities
Pulseless leg
Acute left leg ischaemia
""",
    "pad": """
Chronic limb-threatening ischaemia
Chronic limb-threatening ischemia with rest pain
CLTI
Critical limb ischaemia
Aortoiliac occlusive disease
Aorto-iliac occlusive disease
Femoropopliteal occlusive disease
s/p fem-pop bypass
Femoral-popliteal bypass graft
Thromboangiitis obliterans
Absent pedal pulses
Ischaemic foot
pAVK Stadium IIb
""",
    "dvt": """
Phlebitis and thrombophlebitis of deep vessels of lower extremity
Acute venous thromboembolism of lower limb
VTE of left leg
Deep thrombophlebitis of calf
Tiefe Beinvenenthrombose
Thrombose veineuse profonde
Trombosis venosa profunda
""",
    "leg_swelling": """
Swelling of left calf
calf swelling
Swollen calf
Left calf is swollen
""",
    "limb_or_spine_emergency": """
Compartment syndrome
Compartment syndrome of lower leg
Acute compartment syndrome of left leg
""",
    "limb_or_spine_emergency neurological_deficit radiculopathy": """
Cauda equina syndrome
""",
    "limb_or_spine_emergency neurological_deficit": """
Spinal cord compression
Cord compression T10
""",
    "limb_or_spine_emergency neurological_deficit spine_red_flag": """
Metastatic spinal cord compression
MSCC
""",
    "neurological_deficit neuropathy": """
Guillain-Barre
Guillain-Barré syndrome
""",
    "motor_neuron_disease": """
MND
Kennedy disease
""",
    "neurological_deficit": """
Numbness of both feet
Bilateral leg numbness
Paraesthesia of feet
Numb toes
""",
    "neurological_deficit spine_red_flag": """
Saddle anaesthesia
""",
    "radiculopathy": """
L5 nerve root compression
""",
    "spine_red_flag": """
Metastatic prostate cancer
Bone metastases
Urinary retention
Acute retention of urine
New urinary incontinence with back pain
Faecal incontinence
Epidural abscess
Vertebral osteomyelitis
Multiple myeloma
""",
    "myasthenia_gravis": """
Lambert-Eaton myasthenic syndrome
LEMS
Ocular myasthenia
""",
    "ckd_any liver_disease": """
Renal insufficiency, end-stage liver disease
""",
    "aki pad": """
Acute kidney injury, chronic limb ischaemia
""",
}

TEXT_ROWS = [
    (text, concepts) for concepts, texts in TEXTS_OF.items() for text in texts.strip().splitlines()
]

# What an order covers, then the orders. Imaging the veins of a leg is not an extensive work-up.
ORDERS_OF = {
    "": """
US venous duplex lower extremity left
Doppler venous leg left
Compression ultrasound leg
CT venogram leg
US Lower Extremity Veins Left
VAS US LOWER EXTREMITY VENOUS DUPLEX
Ultrasound lower limb DVT
US doppler leg veins
Left leg venous Doppler
MR venography lower extremity
Lower limb venous ultrasound
Leg compression ultrasonography
US leg ?DVT
Duplex scan of leg veins
Ultrasound left leg for deep vein thrombosis
Proximal leg vein ultrasound
Venous insufficiency duplex both legs
Vascular ultrasound lower extremity, thrombosis
""",
    "imaging_leg_spine": """
X-ray lumbar spine
CT lumbar spine
MRI lower leg
MRI lumbar spine without contrast
Ultrasound left leg soft tissue
Arterial duplex lower extremity
MRI L-spine w/o contrast
CT angiography leg
""",
}

ORDER_ROWS = [
    (text, concepts) for concepts, texts in ORDERS_OF.items() for text in texts.strip().splitlines()
]


def test_the_concepts_of_a_condition_as_written_in_records() -> None:
    found = {text: CONDITIONS.concepts((), (text,)) for text, _ in TEXT_ROWS}
    assert found == {text: set(concepts.split()) for text, concepts in TEXT_ROWS}


def test_what_an_order_as_written_in_records_covers() -> None:
    found = {text: ORDERS.concepts((), (text,)) for text, _ in ORDER_ROWS}
    assert found == {text: set(covered.split()) for text, covered in ORDER_ROWS}
