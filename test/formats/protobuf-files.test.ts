import fc from 'fast-check'
import { expect, test } from 'vitest'
import { joined, stored, unflagged } from './fixtures.ts'
import { cuts, judged } from './judging.ts'

const written: Record<string, readonly [path: string, name: string, id: string]> = {
  'a SavedModel': ['tensorflow/saved_model.pb', 'saved_model.pb', 'saved-model'],
  'a Core ML model': ['coreml/export.mlmodel', 'export.mlmodel', 'coreml'],
  'a SentencePiece model': ['sentencepiece/unigram.model', 'spiece.model', 'sentencepiece'],
}
for (const [what, [path, name, id]] of Object.entries(written)) {
  test(`what its library writes is complete, and every cut of it broken: ${what}`, async () => {
    const bytes = stored(path)
    expect(await judged(bytes, name)).toMatchObject({ judgement: 'complete', format: { id } })
    const found = await cuts(bytes, name)
    // Of what a vocabulary was trained with, either of two parts is enough.
    expect(unflagged(found).length).toBeLessThanOrEqual(id === 'sentencepiece' ? 1 : 0)
  })
}

test('a SentencePiece model is told by its first piece, whatever its name', async () => {
  const bytes = stored('sentencepiece/tested.model')
  expect(await judged(bytes, 'vocabulary')).toMatchObject({ judgement: 'complete', format: { id: 'sentencepiece' } })
  expect(await judged(bytes.subarray(0, -1), 'vocabulary')).toMatchObject({
    judgement: 'broken',
    expected: bytes.length,
  })
})

test('a vocabulary alone, a version alone and a description alone are cut', async () => {
  const pieces = [0x0a, 8, 0x0a, 1, 0x61, 0x15, 0, 0, 0, 0]
  expect(await judged(joined(pieces, pieces), 'tokenizer.model')).toMatchObject({ judgement: 'broken' })
  expect(await judged(joined([8, 1, 8, 1]), 'saved_model.pb')).toMatchObject({ judgement: 'broken' })
  expect(await judged(joined([8, 4, 0x12, 3], 'abc'), 'a.mlmodel')).toMatchObject({ judgement: 'broken' })
})

const odd: Record<string, readonly [string, Buffer]> = {
  'a tokenizer of another kind': ['tokenizer.model', joined('IQ== 0\nIg== 1\nIw== 2\n')],
  'a model of XGBoost': ['xgb.model', joined('binf', new Uint8Array(300).fill(9))],
  'a frozen graph': ['saved_model.pb', joined([0x0a, 3], 'abc', [0x22, 0])],
  'a Core ML model with a field that is not known': ['a.mlmodel', joined([8, 4, 0x1a, 3], 'abc')],
  'text under the name of a Core ML model': ['a.mlmodel', joined('flavors:\n  python_function: 1\n')],
}
for (const [what, [name, bytes]] of Object.entries(odd)) {
  test(`unknown: ${what}`, async () => {
    expect(await judged(bytes, name)).toMatchObject({ judgement: 'unknown' })
  })
}

test('whatever the bytes, there is a verdict', async () => {
  const start = fc.constantFrom('\x08\x04', '\x0a\x08\x0a\x01a\x15\0\0\0\0', '')
  await fc.assert(
    fc.asyncProperty(start, fc.uint8Array({ maxLength: 60 }), async (text, bytes) => {
      for (const name of ['saved_model.pb', 'a.mlmodel', 'a.spm', 'a.onnx']) {
        const { judgement } = await judged(joined(text, bytes, [1]), name)
        expect(['broken', 'unknown', 'complete']).toContain(judgement)
      }
    }),
  )
})
