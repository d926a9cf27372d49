import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { type ConnectionOptions, openConnection } from './connection.ts'
import { type Answer, answerIn, headBytes, isComplete, pageBytes, requestHead, withoutNews } from './http-answer.ts'
import { refuser } from './refuser.ts'
import type { TransferFailure, TransferTry } from './types.ts'

export interface PutCanaryOptions extends ConnectionOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** Milliseconds that nothing may move, in the body or before the answer: what MLflow's client would wait. */
  readonly silenceMs: number
}

/** Bytes handed over at once; incompressible, so that nothing on the way makes less of them. */
const piece = randomBytes(256 * 1024)

/**
 * One PUT of `bytes` bytes of noise with its length declared, as MLflow's client sends a file, watched on the socket: when
 * the last byte went out, and when the answer began. A body that is not complete ends in a reset, never in a clean close,
 * which MLflow under gunicorn would take for the end of the file. Throws `PhaseError` when the connection cannot be
 * opened, and the signal's reason when interrupted; every other failure is a result.
 */
export const putCanary = async (url: URL, bytes: number, options: PutCanaryOptions): Promise<TransferTry> => {
  const connection = await openConnection(url, { addresses: [], ms: {} }, options)
  const { socket } = connection
  const head = requestHead('PUT', connection.absolute ? url.href : `${url.pathname}${url.search}`, {
    ...options.headers,
    ...connection.headers,
    host: url.host,
    'content-type': 'application/octet-stream',
    'content-length': String(bytes),
    connection: 'close',
  })
  const began = performance.now()
  const now = (): number => performance.now() - began
  let given = 0
  let stallMs = 0
  let movedAt = 0
  let silentMs: number | undefined
  let bodyMs: number | undefined
  let firstByteMs: number | undefined
  let answer: Answer | undefined
  let ended: 'answered' | 'closed' | 'silent' | 'aborted' | undefined

  await new Promise<void>((resolve) => {
    let text = ''
    let received = 0
    let waitingSince: number | undefined
    let stalled = setTimeout(() => end('silent'), options.silenceMs)
    const moved = (): void => {
      movedAt = now()
      clearTimeout(stalled)
      if (ended === undefined) stalled = setTimeout(() => end('silent'), options.silenceMs)
    }
    const end = (how: NonNullable<typeof ended>): void => {
      if (ended !== undefined) return
      ended = how
      clearTimeout(stalled)
      options.signal?.removeEventListener('abort', abort)
      resolve()
    }
    const abort = (): void => end('aborted')
    if (options.signal?.aborted) return end('aborted')
    options.signal?.addEventListener('abort', abort, { once: true })
    for (const event of ['end', 'close', 'error']) socket.once(event, () => end(answer ? 'answered' : 'closed'))
    socket.on('data', (chunk: Buffer) => {
      silentMs ??= now() - movedAt
      moved()
      received += chunk.length
      text = withoutNews(text + chunk.toString('latin1'), true)
      if (text === '') return
      firstByteMs ??= now()
      answer = answerIn(text) ?? answer
      if (answer && isComplete(text, answer.page)) end('answered')
      else if (received > headBytes + pageBytes) end(answer ? 'answered' : 'closed')
    })
    const more = (): void => {
      if (waitingSince !== undefined) stallMs = Math.max(stallMs, now() - waitingSince)
      waitingSince = undefined
      while (ended === undefined && answer === undefined && given < bytes) {
        moved()
        const next = given + piece.length <= bytes ? piece : piece.subarray(0, bytes - given)
        given += next.length
        const last = given === bytes
        const taken = socket.write(next, () => {
          movedAt = now()
          if (last) bodyMs = movedAt
        })
        if (!taken) {
          waitingSince = now()
          return
        }
      }
    }
    socket.on('drain', more)
    socket.write(head, 'latin1')
    if (bytes === 0) bodyMs = 0
    more()
  })

  const afterMs = now()
  silentMs ??= afterMs - movedAt
  // A reset of a connection that the other side closed meanwhile is an error that nobody needs to hear of.
  socket.on('error', () => {})
  connection.reset()
  if (ended === 'aborted') throw options.signal?.reason
  const sentBytes = Math.max(0, given - socket.writableLength)
  const during = bodyMs === undefined ? 'body' : 'answer'
  const result = {
    bytes,
    parts: 1,
    bodyMs: bodyMs ?? afterMs,
    stallMs,
    ...(answer && { status: answer.status }),
    ...(bodyMs !== undefined && firstByteMs !== undefined && { answerMs: Math.max(0, firstByteMs - bodyMs) }),
  }
  if (answer !== undefined && answer.status >= 200 && answer.status < 300 && during === 'answer') return result
  const failed: Omit<TransferFailure, 'why'> = {
    how: answer !== undefined ? 'status' : ended === 'silent' ? 'silent' : 'closed',
    during,
    afterMs: firstByteMs ?? afterMs,
    sentBytes,
    silentMs,
    ...(answer && { status: answer.status }),
    ...(answer && byOf(answer)),
  }
  return { ...result, failed: { ...failed, why: whyOf(failed, bytes, options.silenceMs) } }
}

const byOf = (answer: Answer): { by?: string } => {
  const by = refuser(answer)
  return by === undefined ? {} : { by }
}

const whyOf = (failed: Omit<TransferFailure, 'why'>, bytes: number, silenceMs: number): string => {
  const when = failed.during === 'body' ? `after ${failed.sentBytes} of ${bytes} bytes` : 'after the last byte'
  if (failed.how === 'silent') return `nothing moved for ${silenceMs / 1000} s ${when}`
  if (failed.how === 'closed') return `the connection was closed without an answer ${when}`
  return `${failed.by ?? 'the server'} answered ${failed.status} ${when}`
}
