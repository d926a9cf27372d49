import { randomBytes, randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { combineAll, combineCrc32 } from '../src/crc32.ts'

describe('CRC32 of a whole from its pieces', () => {
  test('equals that of zlib for any two pieces, empty ones included', () => {
    for (let round = 0; round < 200; round += 1) {
      const whole = randomBytes(randomInt(0, 5000))
      const at = randomInt(0, whole.length + 1)
      const [a, b] = [whole.subarray(0, at), whole.subarray(at)]
      expect(combineCrc32(crc32(a), crc32(b), b.length)).toBe(crc32(whole))
    }
  })

  test('holds over many pieces of unequal length', () => {
    for (let round = 0; round < 20; round += 1) {
      const pieces = Array.from({ length: randomInt(0, 40) }, () => randomBytes(randomInt(0, 9000)))
      const whole = crc32(Buffer.concat(pieces))
      expect(combineAll(pieces.map((piece) => ({ crc32: crc32(piece), size: piece.length })))).toBe(whole)
    }
  })

  test('counts lengths beyond 32 bits: 5 TiB of zeros in one piece or in 2^20 doublings', () => {
    const mebibyte = Buffer.alloc(1 << 20)
    let value = crc32(mebibyte)
    let length = mebibyte.length
    while (length < 2 ** 42) {
      value = combineCrc32(value, value, length)
      length *= 2
    }
    const one = crc32(Buffer.alloc(1))
    const rest = combineCrc32(value, one, 1)
    // The same bytes cut elsewhere: one zero first, then 4 TiB.
    expect(combineCrc32(one, value, length)).toBe(rest)
    expect(combineCrc32(value, crc32(Buffer.from('a')), 1)).not.toBe(combineCrc32(value, crc32(Buffer.from('b')), 1))
  })
})
