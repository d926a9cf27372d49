import { expect, test } from 'vitest'
import { joined, stored, u32, unflagged } from './fixtures.ts'
import { cuts, judged } from './judging.ts'

const told: Record<string, readonly [path: string, markEnd: number, least: number]> = {
  ocdbt: ['ocdbt/manifest.ocdbt', 4, 18],
  crfsuite: ['crfsuite/tagger.crfsuite', 12, 48],
}
for (const [id, [path, markEnd, least]] of Object.entries(told)) {
  test(`a file that tells its own length is complete, and every cut of it broken: ${id}`, async () => {
    const bytes = stored(path)
    expect(await judged(bytes, path)).toMatchObject({ judgement: 'complete', format: { id } })
    expect(unflagged(await cuts(bytes, path))).toEqual([])
    const left = Array.from({ length: bytes.length - least }, (_, n) => n + least)
    expect(unflagged(await cuts(bytes, 'renamed', left))).toEqual([])
    expect(await judged(joined(bytes, 'more'), path)).toMatchObject({ judgement: 'ended' })
    const other = joined('#'.repeat(markEnd), bytes.subarray(markEnd))
    expect(await judged(other, path)).toMatchObject({ judgement: 'unknown' })
  })
}

test('the checksum of a manifest of OCDBT tells any byte that differs', async () => {
  const bytes = stored('ocdbt/manifest.ocdbt')
  expect(await judged(bytes, 'manifest.ocdbt', { prove: true })).toMatchObject({ judgement: 'complete' })
  for (let at = 12; at < bytes.length; at += 1) {
    const copy = Buffer.from(bytes)
    copy[at] = (copy[at] ?? 0) ^ 1
    expect(await judged(copy, 'manifest.ocdbt', { prove: true })).toMatchObject({ judgement: 'broken' })
  }
})

test('files that do not tell their length are named, and nothing is said of them', async () => {
  const rest = new Uint8Array(100).fill(3)
  for (const mark of ['lmgg', 'fmgg', 'tjgg', 'algg']) {
    expect(await judged(joined(mark, rest), 'a.bin')).toMatchObject({ judgement: 'unknown', format: { id: 'ggml' } })
  }
  const fasttext = joined(u32(793_712_314), u32(12), rest)
  expect(await judged(fasttext, 'cc.bin')).toMatchObject({ judgement: 'unknown', format: { id: 'fasttext' } })
})
