-- A GET (every WRK_EVERY_MS), or the body in the file WRK_BODY; the figures as a line of JSON.
local every, file = os.getenv("WRK_EVERY_MS"), os.getenv("WRK_BODY")
if every then
  wrk.headers["Connection"] = "close"
  function delay() return tonumber(every) end
end
if file then
  wrk.method = "POST"
  wrk.body = assert(io.open(file, "rb")):read("*a")
  wrk.headers["Content-Type"] = "application/json"
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"rate":%.3f,"p50_ms":%.4f,"p99_ms":%.4f,"max_ms":%.4f,"failed":%d}\n',
    summary.requests, summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
