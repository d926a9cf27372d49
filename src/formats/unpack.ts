/** Unpacking in pieces, for checksums alone: nothing that is unpacked is kept. */
import { once } from 'node:events'
import type { Transform } from 'node:stream'
import { crc32, type Zlib } from 'node:zlib'
import type { Peek } from './format.ts'

const pieceBytes = 1024 ** 2

export interface Unpacked {
  /** `whole`: the packed stream came to its own end. `cut`: there was no more of it. `damaged`: it makes no sense. */
  readonly state: 'whole' | 'cut' | 'damaged'
  /** What `node:zlib` calls the damage. */
  readonly code?: string
  /** CRC-32 of what came out. */
  readonly crc: number
  /** Bytes that came out. */
  readonly bytes: number
  /** Bytes that went in. */
  readonly consumed: number
  /** The first bytes that came out, 16 at most. */
  readonly first: Uint8Array
}

/** The bytes from `offset` on, in pieces. */
export async function* piecesOf(file: Peek, offset: number, length: number): AsyncGenerator<Uint8Array> {
  for (let at = offset; at < offset + length; at += pieceBytes) {
    yield await file.exactly(at, Math.min(pieceBytes, offset + length - at))
  }
}

/** Feeds `length` bytes from `offset` on to an unpacker of `node:zlib`; stops early once more than `most` bytes came out. */
export const unpack = async (
  engine: Transform & Zlib,
  file: Peek,
  offset: number,
  length: number,
  most = Number.POSITIVE_INFINITY,
): Promise<Unpacked> => {
  let crc = 0
  let bytes = 0
  let state: Unpacked['state'] | undefined
  let code: string | undefined
  const first: number[] = []
  const over = new AbortController()
  engine.on('data', (piece: Uint8Array) => {
    crc = crc32(piece, crc)
    bytes += piece.length
    if (first.length < 16) first.push(...piece.subarray(0, 16 - first.length))
    if (bytes > most) finish('damaged')
  })
  const finish = (how: Unpacked['state']) => {
    state ??= how
    over.abort()
  }
  engine.on('end', () => finish('whole'))
  engine.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code
    finish(code === 'Z_BUF_ERROR' ? 'cut' : 'damaged')
  })
  const settled = async (event: string) => {
    if (state === undefined) await once(engine, event, { signal: over.signal }).catch(() => undefined)
  }
  try {
    for await (const piece of piecesOf(file, offset, length)) {
      if (state !== undefined) break
      if (!engine.write(piece)) await settled('drain')
    }
    if (state === undefined) {
      engine.end()
      await settled('end')
    }
    return {
      state: state ?? 'damaged',
      ...(code === undefined ? {} : { code }),
      crc,
      bytes,
      consumed: engine.bytesWritten,
      first: Uint8Array.from(first),
    }
  } finally {
    engine.destroy()
  }
}
