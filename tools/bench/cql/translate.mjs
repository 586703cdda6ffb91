// node translate.mjs OUT CODELISTS: the rules as ELM, and the project's code lists as value sets.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { SystemModelInfoProvider } from '@cqframework/cql/cql';
import * as cql from '@cqframework/cql/cql-to-elm';

const [out, codelists] = process.argv.slice(2);
const engine = dirname(createRequire(import.meta.url).resolve('cql-exec-fhir'));
const fhir = readFileSync(join(engine, 'modelInfos', 'fhir-modelinfo-4.0.1.xml'), 'utf8');

const models = new cql.ModelManager();
models.modelInfoLoader.registerModelInfoProvider(new SystemModelInfoProvider());
models.modelInfoLoader.registerModelInfoProvider(
  cql.createModelInfoProvider(name => (name === 'FHIR' ? cql.stringAsSource(fhir) : null)));
const text = readFileSync(join(import.meta.dirname, 'rules.cql'), 'utf8');
// The rules' only units are CQL's own words (months, days).
const units = cql.createUcumService(() => '', () => null, () => null, () => null);
const libraries = new cql.LibraryManager(models, new cql.CqlCompilerOptions(), null, units);
const elm = JSON.parse(cql.CqlTranslator.fromText(text, libraries).toJson());
const errors = elm.library.annotation.filter(entry => entry.errorSeverity === 'error');
if (errors.length) throw new Error(errors.map(e => `rules.cql:${e.startLine}: ${e.message}`).join('\n'));
writeFileSync(join(out, 'elm.json'), JSON.stringify(elm));

const LISTS = {
  'observations/magnesium': ['observations/magnesium'],
  'observations/egfr': ['observations/egfr', 'observations/egfr_race_free_2021', 'observations/egfr_race_coefficient'],
  'medications/quinine': ['medications/quinine'],
  'medications/magnesium': ['medications/magnesium', 'medications/magnesium_antacid_laxative'],
  'conditions/malaria': ['conditions/malaria', 'conditions/babesiosis'],
  'conditions/advanced': ['conditions/ckd_stage_4_5', 'conditions/dialysis', 'conditions/aki'],
  'conditions/ckd_stage_3': ['conditions/ckd_stage_3'],
};
const codes = name => readFileSync(join(codelists, `${name}.csv`), 'utf8').trim().split('\n').slice(1)
  .map(line => line.split(',')).map(([system, code]) => ({ system, code, version: '' }));
const sets = Object.fromEntries(Object.entries(LISTS).map(([id, names]) => [id, { '': names.flatMap(codes) }]));
writeFileSync(join(out, 'valuesets.json'), JSON.stringify(sets));
