-- The requests of one run of wrk, and its figures as one line of JSON.
-- Environment: BENCH_BODY (a file), BENCH_TOKENS (a file, one a line; may be unset or empty).

local tokens = {}
local used = -1 -- wrk asks once, only to see what requests look like

local function headers(token)
  local made = {
    ["Content-Type"] = "application/json",
    ["Host"] = wrk.host .. ":" .. wrk.port, -- HTTP/1.1 asks for it; some servers refuse without
  }
  if token then made["Authorization"] = "Bearer " .. token end
  return made
end

function init()
  local file = assert(io.open(os.getenv("BENCH_BODY"), "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  file:close()
  local listed = os.getenv("BENCH_TOKENS")
  if listed and listed ~= "" then
    for line in io.lines(listed) do tokens[#tokens + 1] = line end
  end
  wrk.headers = headers(tokens[1])
  prepared = wrk.format()
end

function request()
  if #tokens < 2 then return prepared end
  used = used + 1
  if used == 0 then return prepared end
  -- Each token is good once: when they are used up, the run ends.
  if used > #tokens then
    wrk.thread:stop()
    used = #tokens
  end
  return wrk.format(nil, nil, headers(tokens[used]))
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50_ms":%.4f,"p95_ms":%.4f,"p99_ms":%.4f,"refused":%d,"lost":%d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
