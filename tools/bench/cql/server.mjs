// node server.mjs FOLDER PORT PROCESSES: a CDS Hooks service whose rules are CQL.
// FOLDER holds what translate.mjs wrote. The model info is parsed once for each process.
import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import cqlExecution from 'cql-execution';
import cqlFhir from 'cql-exec-fhir';

const [folder, port, processes] = process.argv.slice(2);
const read = name => JSON.parse(readFileSync(join(folder, name), 'utf8'));
const { CodeService, DateTime, Executor, Library } = cqlExecution;
const executor = new Executor(new Library(read('elm.json')), new CodeService(read('valuesets.json')));
const model = cqlFhir.PatientSource.FHIRv401();

async function cards(call, now) {
  const prefetch = Object.values(call.prefetch ?? {}).filter(value => value !== null);
  const source = Object.create(model, { _index: { value: 0, writable: true }, _bundles: { value: [{
    resourceType: 'Bundle',
    entry: prefetch.flatMap(value => (value.resourceType === 'Bundle' ? value.entry ?? [] : [{ resource: value }])),
  }] } });
  const result = await executor.exec_expression('Cards', source, now);
  const [{ Cards }] = Object.values(result.patientResults);
  return Cards.map(card => ({ ...card, source: { label: 'Leg cramps, in CQL' } }));
}

async function answer(request, response) {
  const parts = [];
  for await (const part of request) parts.push(part);
  const now = request.headers['x-now'];
  let status = 200, body;
  try {
    const call = JSON.parse(Buffer.concat(parts));
    body = { cards: await cards(call, DateTime.parse(now ?? new Date().toISOString())) };
  } catch (error) {
    [status, body] = [400, { error: String(error) }];
  }
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}

if (cluster.isPrimary) {
  for (let n = 0; n < Number(processes); n++) cluster.fork();
  process.on('SIGTERM', () => process.exit(0));
} else {
  createServer((request, response) => (request.method === 'POST'
    ? answer(request, response)
    : response.end('{}'))).listen(Number(port), '127.0.0.1');
}
