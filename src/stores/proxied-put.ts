import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { Trouble } from '../errors.ts'
import { connectionTrouble, hangTrouble, redirectTrouble, statusTrouble } from '../mlflow/http-trouble.ts'
import type { TrackingServer } from '../mlflow/server.ts'
import { openConnection } from '../probes/connection.ts'
import { PhaseError } from '../probes/failures.ts'
import type { WholeSource } from './store.ts'

/** An error page is read this far, in bytes. */
const errorRead = 64 * 1024

/**
 * One PUT of a whole file through the tracking server, with its length declared. What goes wrong in the middle ends in a
 * reset of the TCP connection: MLflow under gunicorn stores a body that was cut by a clean close as if it were complete.
 */
export const putThrough = async (
  server: TrackingServer,
  path: string,
  what: string,
  source: WholeSource,
  signal?: AbortSignal,
): Promise<void> => {
  const { settings } = server
  const url = new URL(settings.trackingUri + path)
  const connection = await openConnection(
    url,
    { addresses: [], ms: {} },
    {
      timeoutMs: 10_000,
      tls: settings.tls,
      role: 'tracking',
      ...(signal === undefined ? {} : { signal }),
    },
  ).catch((error: unknown) => {
    if (!(error instanceof PhaseError)) throw error
    throw new Trouble({ kind: 'unreachable', what, why: error.failure.why, todo: error.failure.todo, cause: error })
  })
  signal?.addEventListener('abort', connection.reset, { once: true })
  const { socket } = connection
  let silent = false
  socket.setTimeout(settings.requestTimeoutMs, () => {
    silent = true
    connection.reset()
  })
  try {
    const sent = httpRequest(url, {
      method: 'PUT',
      path: connection.absolute ? url.href : `${url.pathname}${url.search}`,
      createConnection: () => socket,
      headers: {
        ...server.headers,
        ...connection.headers,
        'content-type': 'application/octet-stream',
        'content-length': source.size,
        connection: 'close',
      },
    })
    sent.on('error', () => {})
    const answered: Promise<IncomingMessage> = once(sent, 'response').then(([response]) => response)
    // A refusal may come while the body is still being sent; it is heard all the same.
    let early: IncomingMessage | undefined
    answered.then(
      (response) => {
        early = response
      },
      () => {},
    )
    let size = 0
    // The last piece waits until the source has ended: with it the server has all that was announced, and stores it.
    let held: Uint8Array | undefined
    const write = async (piece: Uint8Array | undefined): Promise<void> => {
      if (piece !== undefined && !sent.write(piece)) await Promise.race([once(sent, 'drain'), answered])
    }
    for await (const piece of source.open()) {
      signal?.throwIfAborted()
      if (early !== undefined || sent.destroyed) break
      size += piece.length
      if (size > source.size) throw changed(what, source.size)
      await write(held)
      held = piece
    }
    if (early === undefined && !sent.destroyed) {
      if (size !== source.size) throw changed(what, source.size)
      await write(held)
      sent.end()
    }
    const response = early ?? (await answered)
    const status = response.statusCode ?? 0
    const body = await startOf(response)
    if (status >= 300 && status < 400) throw redirectTrouble(what, url, status, response.headers.location ?? null)
    if (status < 200 || status >= 300) throw statusTrouble(what, url.host, status, body)
    socket.destroy()
  } catch (error) {
    // A reset of a connection that the other side closed meanwhile is an error (EINVAL) that nobody needs to hear of.
    socket.on('error', () => {})
    connection.reset()
    if (signal?.aborted === true) throw signal.reason
    if (silent) throw hangTrouble(what, url.host, settings.requestTimeoutMs)
    throw error instanceof Error && 'code' in error && !(error instanceof Trouble)
      ? connectionTrouble(what, url.host, error)
      : error
  } finally {
    signal?.removeEventListener('abort', connection.reset)
  }
}

const startOf = async (response: IncomingMessage): Promise<string> => {
  let text = ''
  response.setEncoding('utf8')
  for await (const piece of response) {
    text += piece
    if (text.length >= errorRead) break
  }
  return text
}

const changed = (what: string, size: number): Trouble =>
  new Trouble({
    kind: 'source-changed',
    what,
    why: `the file no longer has the ${size} bytes that were announced`,
    todo: 'Let nothing write to the file, then try again',
  })
