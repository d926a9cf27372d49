import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { bytesOf, judged, missed } from './of.ts'

const fixtures = new URL('../../fixtures/formats/torch-legacy/', import.meta.url)
const fixture = (name: string) => readFileSync(new URL(name, fixtures))

for (const name of readdirSync(fixtures)) {
  test(`${name} is whole, and every cut of it is not`, async () => {
    expect(await judged(fixture(name), name)).toMatchObject({ format: { id: 'torch-legacy' }, judgement: 'complete' })
    expect(await missed(fixture(name), name)).toEqual([])
  })
}

test('bytes behind the storages are legal', async () => {
  expect(await judged(bytesOf(fixture('a.pt'), 'more'), 'a.pt')).toMatchObject({ judgement: 'ended' })
})

test('a storage of a kind that is not known, or of a length that is none, is unknown', async () => {
  const odd = Buffer.from(fixture('a.pt').toString('latin1').replaceAll('FloatStorage', 'OtherStorage'), 'latin1')
  expect(await judged(odd, 'a.pt')).toMatchObject({ judgement: 'unknown' })
})

test('another file under the same name is unknown', async () => {
  expect(await judged(bytesOf('not of PyTorch'), 'a.pt')).toMatchObject({ judgement: 'unknown' })
})
