import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { bytesOf, judged, missed } from './of.ts'

const fixtures = new URL('../../fixtures/formats/npy/', import.meta.url)
const u16 = (n: number) => [n & 255, n >> 8]
const npy = (header: string, data: Uint8Array | string = '', version = 1): Buffer =>
  bytesOf('\x93NUMPY', [version, 0], u16(header.length), version === 1 ? '' : [0, 0], header, data)

for (const name of readdirSync(fixtures)) {
  test(`${name} is whole, and every cut of it is not`, async () => {
    const bytes = readFileSync(new URL(name, fixtures))
    const trailing = name === 'trailing.npy'
    expect(await judged(bytes, name)).toMatchObject({
      format: { id: 'npy' },
      judgement: trailing ? 'ended' : 'complete',
    })
    const left = await missed(bytes, name)
    expect(left.filter((told) => !(trailing && Number.parseInt(told, 10) >= bytes.length - 3))).toEqual([])
  })
}

test('several arrays in one file, each of which counts', async () => {
  const one = npy(`{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }`, new Uint8Array(24))
  const three = bytesOf(one, one, one)
  expect(await judged(three, 'a.npy')).toMatchObject({ judgement: 'complete' })
  for (const cut of [1, 24, 25, 60, 80]) {
    expect((await judged(three.subarray(0, -cut), 'a.npy')).judgement, String(cut)).toBe('broken')
  }
})

const shapes: Record<string, readonly [string, number]> = {
  '{"descr": "<f4", "fortran_order": True, "shape": (2L, 3L)}': ['complete', 24],
  "{'descr': [('a', '<i4', 3), ('b', [('c', '|V5')])], 'fortran_order': False, 'shape': (2,)}": ['complete', 34],
  "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 99999999999999999999)}": ['complete', 0],
  "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999, 2)}": ['broken', 50],
  "{'descr': 'bfloat16', 'fortran_order': False, 'shape': (2,)}": ['unknown', 4],
  "{'descr': '<f8', 'fortran_order': False, 'shape': (-2,)}": ['unknown', 4],
  "{'descr': '<f8', 'fortran_order': False, 'shape': (2,)": ['unknown', 16],
  [`${'['.repeat(5000)}`]: ['unknown', 16],
  'anything else at all, which is long enough to be a header': ['unknown', 16],
}
for (const [header, [judgement, bytes]] of Object.entries(shapes)) {
  test(`${judgement}: ${header.slice(0, 100)}`, async () => {
    for (const version of [1, 2, 3]) {
      expect(await judged(npy(header, new Uint8Array(bytes), version), 'a.npy')).toMatchObject({ judgement })
    }
  })
}
