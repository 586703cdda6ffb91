"""Names as records write them: abbreviations, routes, British and other European brands."""

from __future__ import annotations

from hooks.knowledge.vocabulary import MEDICATIONS

# What they are, then the names, one per line.
OF_CLASS = {
    "magnesium magnesium_intravenous": """
mag sulfate 2 g
mag sulfate 2 g intravenous
mag sulfate 2 g IVPB
mag sulf
Mag sulf 2g/50mL premix
mag sulph 1 g
mag sulphate 4 g bolus
Magnesium sulf 2 g
Magnesium 2 g IV rider
Mag 2 g IV
mag rider 2 g
magnesium gluconate IV
magnesium gluconate intravenous
magnesium chloride IV
Mg sulphate 20 mmol in 100 ml
Mg sulphate 20 mmol in 100 ml N/saline
Mg sulfate 4 g
Magnesiumsulfat 50% Injektionslösung
Magnesiumsulfat 10 % Infusionslösung
Magnesiumsulfat
Cormagnesin
Cormagnesin 400 Infusion
Sulfato de magnesio
Sulfato de magnesio 1,5 g ampolla
sulfate de magnésium 15% injectable
solfato di magnesio 1 g fiale
Mg2+ infusion
MgSO4 2 g/50 mL
MgSO4 drip 1 g/hr
mgso4 4 g
Magnesium sulphate 20 mmol
magnesium sulphate 8 mmol in 100 mL sodium chloride
magnesium sulphate 50%
magnesium sulphate 49.3% ampoules
magnesium sulfate 2 gram/50 mL (4 %) in water intravenous piggyback
Magnesium sulfate heptahydrate 2 g/50 mL IV soln
magnesium sulfate in D5W 1 g/100 mL
magnesium sulfate in sterile water
magnesium sulfate 4 g bolus
Magnesium sulfate
magnesium sulfate 1 g in sterile water
magnesium i.v. 8 mmol
Magnesium-Diasporal 4 mmol Injektionslösung
Magnesiumsulfaat 2 g
magnesium infusion 20 mmol
Magnesium 10 mmol Ampullen
magnesium aspartate injection
mag drip
magnesium gtt
Magnesium Sulfate 50 % IJ SOLN
Mg bolus
2 g mag
4 grams of magnesium
Mg SO4 2g
magnesium sulf heptahydrate
""",
    "magnesium": """
over the counter magnesium supplement
OTC magnesium
magnesium (unknown dose)
magnesium, dose unknown
magnesium - unspecified
herbal magnesium
Doppelherz Magnesium 400
Doppelherz Magnesium 400 + B6
Biolectra Magnesium
Biolectra Magnesium 300 mg direct
Abtei Magnesium
Holland & Barrett Magnesium
Mag 2
Magné B6
Magne-B6
Magnerot
Magnesio carbonato
Magnesio Supremo
carbonato de magnesio
citrato di magnesio
Magnesiumaspartat 300
Magnesiumglycinat
Magnesium Verla 300 Granulat
Magnesium-Sandoz
Magnetrans forte
Magnesium Glycerophosphate 4 mmol
magnesium taurate
magnesium pills
magnesium supplementation
some magnesium for sleep
MagnaPhate
Magnesium-OK
Emgesan
Mablet
Magnogene
magnésium 300
mag
mag oxide 400 mg
mag gluconate 500 mg
mag glycinate 200
Mg oxide 400
Mg citrate 200 mg
Mg glycinate
Dolomite
ZMA
Trofocard
Mag 2 ampoules buvables
magnesium dietary supplement, oral
magnesium sulfate oral solution
Ca/Mg/Zn supplement
Cal-Mag
Cal/Mag/Zinc
CALCIUM CARB-MAG CARB-FOLIC ACID
CaCO3 / MgCO3 phosphate binder
""",
    "magnesium magnesium_antacid_laxative": """
MOM 30 mL PO PRN
MOM
MOM 30 ml
MOM susp
Citramag
Asilone
Altacite Plus
Andrews Salts
Bisodol
Talcid
Almax
Almagate
Milpar
Gaviscon Advance
Maaloxan
Dijex
Actonorm
Magnesia Cinfa
hidroxido de magnesio
hydroxyde de magnésium
Magnesiumhydroxid
Izinova
Eziclen
Mg(OH)2 suspension
mag citrate 1 bottle
Magnesium Citrate PO SOLN
milk of mag
Al hyd-Mg hyd-Simeth
Mg hydroxide
""",
    "magnesium potassium": """
Panangin
Tromcardin complex
Asparkam
Polase
""",
    "": """
magnesium stearate
magnesium valproate
valproate magnesium
Magnevist
mometasone furoate
magnesium sulfate paste
bath salts magnesium
gadopentetate dimeglumine (Magnevist)
zinc 50 mg gluconate
calcium 500 mg carbonate
vitamin C 500 mg ascorbate
PET scan contrast
magnesium dialysate
Dexrabeprazol magnesium 10
ofloxacin 0.3% eye drops
Floxin otic
Nurofen gel
Voltarol Emulgel
Feldene gel
Vitamin K 10 mg
10 mg bolus
Camphor / menthol
""",
    "ppi": """
Esomeprazole magnesium 40 mg intravenous
esomeprazole magnesium 20
esomeprazole magnesium
omeprazole magnesium intravenous
rabeprazole magnesium 20
""",
    "raas_inhibitor": """
losartan potassium
Delix 5
Triatec
""",
    "statin": """
pitavastatin magnesium
Simvador
Sortis 20 mg
Simvastatine
Atozet
""",
    "potassium": """
potassium 99 mg citrate
Morton Lite Salt
Lite Salt
LoSalt
Lo-Salt
Effercitrate
K+10
K+ 10 mg
Sando-K
Kay-Cee-L
Slow-K
Kalium Durettes
Rekawan
Kalitrans
Boi-K
Potasion
KCl-retard
Ultra-K
Chloropotassuril
Nati-K
potassium (unknown dose)
over the counter potassium supplement
K-Contin
Diffu-K
K+ 20 mmol
""",
    "qt_prolonging": """
quinidine
Z-Pak
Zithromax Z-Pak 250 mg
Geodon
ziprasidone
Haldol
Celexa
Lexapro
Zofran
Betapace
Tikosyn
Multaq
Cordarone
Pacerone
flecainide
Tambocor
terlipressin
oxaliplatin
Eloxatin
vandetanib
arsenic trioxide
pentamidine
Pentam 300
Nebupent
papaverine
levosulpiride
probucol
ajmaline
Klacid
Ery-Tab
Zmax
Seropram
Serdolect
sertindole
mesoridazine
Dolmatil
Largactil
Thorazine
Nozinan
mobocertinib
Sotacor
Sotalex
Rythmodan
Rulid
Chlorpromazin
Sulpirid
Erythromycin 500 mg
Erythrocin
Agrylin
Plaquenil
azithro 500
HCQ 200
""",
    "qt_prolonging magnesium_binding": """
ofloxacin 400 mg
Cipro
Levaquin
Avelox
Tavanic
Ciproxin
""",
    "qt_prolonging other_cramp_provoking": """
Aricept
donepezil
nilotinib
Tasigna
""",
    "digoxin": """
Lanoxicaps
Lanitop
Lanoxin
digitoxin
Digimerck
Novodigal
acetyldigoxin
Lanicor
Beta-Acetyldigoxin 0,2
medigoxin
""",
    "nsaid": """
Nurofen
Brufen
Voltarol
Ponstan
Feldene
Mobic
Froben
Orudis
Lodine
Dolobid
Emflex
Preservex
Diclomax
Dyloject
Indocid
Surgam
Novalgin
Dexketoprofen
Arcoxia
Cuprofen
Voltaren Dolo
Dolormin
Profenid
Diclofenac-natrium
Novaminsulfon 500
metamizol
Nolotil
Enantyum
Spifen
Ibuprofène
Neobrufen
Aspirin 300 mg
""",
    "nsaid other_cramp_provoking": """
Naprosyn
""",
    "diuretic_potassium_sparing diuretic_thiazide": """
Moduret 25
Dytide
Triamteril
Maxzide-25 mg
Moduretic
Navispare
Aldactide 50
Dyta-urese
Aldactacine
Amilorid comp
""",
    "diuretic_potassium_sparing": """
Dytac
Amilamont
Verospiron
Spiractin
spironolactona
Inspra
Kerendia
Osyrol
Xenalon
Soldactone
Aldopur
Soludactone
spiro 25
""",
    "diuretic_potassium_sparing diuretic_loop": """
Frumil
Frumil LS
Burinex A
Lasilactone
Co-amilofruse 5/40
Lasoride
Froop Co
Aldalix
Furorese Comp
""",
    "diuretic_loop potassium": """
Burinex K
""",
    "diuretic_loop": """
Lasix
Frusol
Burinex
Torem
""",
    "diuretic_thiazide": """
Navidrex
Aprinox
Hygroton
Natrilix SR
bendroflumethiazide
Neo-Naclex
Metenix 5
Diurexan
Esidrex
""",
    "quinine": """
Legatrin
Q-vel
Quinoctal
Circonyl
""",
    "acetaminophen sedative": """
Legatrin PM
""",
    "baclofen": """
Lebic
Balgifen
Beklo
Stelax
Pacifen
""",
    "baclofen_intrathecal": """
Lioresal intrathekal 10 mg
ITB baclofen pump
BACLOFEN 40 MG/20ML IT SOLN
""",
    "sedative": """
Stilnoct
Zimovane
Temesta
Rivotril
Frisium
Sirdalud
25 mg iv promethazine
""",
    "opioid": """
Zamadol SR
Palexia retard
Longtec
MST Continus
Zomorph
Durogesic
Morphin 10 mg
morphine 10 mg sulfate
""",
    "acetaminophen opioid": """
Solpadol
""",
    "acetaminophen": """
Doliprane 1000
Tachipirina
""",
    "acetaminophen nsaid": """
Anadin Extra
""",
    "trimethoprim": """
Cotrim forte
""",
    "calcineurin_inhibitor": """
Modigraf
""",
    "anticoagulant heparin": """
Fraxiparine
""",
    "anticoagulant warfarin": """
Previscan
""",
    "gabapentinoid": """
Lyrica 75
""",
}

NAMES = [
    (name, classes) for classes, names in OF_CLASS.items() for name in names.strip().splitlines()
]


def test_the_classes_of_a_name_as_written_in_records() -> None:
    found = {name: MEDICATIONS.concepts((), (name,)) for name, _ in NAMES}
    assert found == {name: set(classes.split()) for name, classes in NAMES}
