"""A FHIR server that holds one patient and answers each query after 20 ms.

    python -m tools.bench.fhir_stub PORT OBSERVATIONS

HTTP/1.1 with kept connections, as many at once as come; it reads a path and no more.
"""

from __future__ import annotations

import asyncio
import re
import sys

from tools.bench import bodies

DELAY_S = 0.02
_TYPE = re.compile(rb"GET /fhir/(\w+)")


async def serve(port: int, pages: dict[str, bytes], delay_s: float = DELAY_S) -> None:
    """Answer on loopback until cancelled."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(delay_s)
                asked = _TYPE.match(head)
                page = pages.get(asked[1].decode() if asked else "")
                status = b"200 OK" if page else b"404 Not Found"
                content = page or b"{}"
                writer.write(
                    b"HTTP/1.1 %b\r\nContent-Type: application/fhir+json\r\n"
                    b"Content-Length: %d\r\n\r\n%b" % (status, len(content), content)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), bodies.pages(int(sys.argv[2]))))
