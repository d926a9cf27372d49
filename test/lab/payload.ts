import { createHash } from 'node:crypto'

const BLOCK = 1 << 20

function* blocks(seed: string, size: number): Generator<Buffer> {
  for (let block = 0; block * BLOCK < size; block++) {
    const outputLength = Math.min(BLOCK, size - block * BLOCK)
    yield createHash('shake128', { outputLength }).update(`${seed}:${block}`).digest()
  }
}

/** The SHA-256, as hex, of the payload that `--file NAME=SIZE:SEED` makes; its seed is its name unless told. */
export function payloadSha256(seed: string, size: number): string {
  const hash = createHash('sha256')
  for (const block of blocks(seed, size)) hash.update(block)
  return hash.digest('hex')
}
