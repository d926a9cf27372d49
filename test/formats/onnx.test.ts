import fc from 'fast-check'
import { expect, test } from 'vitest'
import { joined, stored, unflagged } from './fixtures.ts'
import { cuts, judged } from './judging.ts'

const number = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...number(Math.floor(n / 128))])
const int = (field: number, n: number) => joined(number(field * 8), number(n))
const nest = (field: number, ...parts: readonly (string | Uint8Array)[]) => {
  const content = joined(...parts)
  return joined(number(field * 8 + 2), number(content.length), content)
}
const opset = nest(8, int(2, 17))
const model = (...graph: readonly Uint8Array[]) => joined(int(1, 8), nest(2, 'me'), nest(7, ...graph), opset)
const entry = (key: string, value: string) => nest(13, nest(1, key), nest(2, value))
const external = (...entries: readonly Uint8Array[]) => nest(5, nest(8, 'w'), ...entries, int(14, 1))

test('what the library writes is complete, and every cut of it broken', async () => {
  const bytes = stored('onnx/inline.onnx')
  expect(await judged(bytes, 'model.onnx')).toMatchObject({ judgement: 'complete', format: { id: 'onnx' } })
  expect((await judged(bytes, 'model.onnx')).refers).toBeUndefined()
  expect(unflagged(await cuts(bytes, 'model.onnx'))).toEqual([])
})

test('of a model with two sets of operators only the cuts between what may be absent pass', async () => {
  const bytes = stored('onnx/two-opsets.onnx')
  expect(await judged(bytes, 'model.onnx')).toMatchObject({ judgement: 'complete' })
  expect(unflagged(await cuts(bytes, 'model.onnx'))).toHaveLength(2)
})

test('the file of external data has at least what its last tensor needs', async () => {
  const found = await judged(stored('onnx/external.onnx'), 'model.onnx')
  expect(found).toMatchObject({ judgement: 'complete', refers: [{ path: 'external.data', least: 2520 }] })
})

test('tensors in files of their own are all named, those of constants too', async () => {
  const { refers } = await judged(stored('onnx/external-many.onnx'), 'model.onnx')
  expect(refers).toEqual(
    expect.arrayContaining([
      { path: 'W', least: 2400 },
      { path: 'B', least: 120 },
      { path: 'k', least: 24 },
    ]),
  )
})

test('without a length, external data is the rest of the file', async () => {
  const bytes = model(external(entry('location', 'a')), external(entry('location', 'b'), entry('offset', '4096')))
  expect(await judged(bytes, 'm.onnx')).toMatchObject({ refers: [{ path: 'a' }, { path: 'b', least: 4096 }] })
})

test('places of tensors that are stored in the model itself are no references', async () => {
  const inline = nest(5, nest(9, 'data'), entry('location', 'old.data'))
  expect((await judged(model(inline), 'm.onnx')).refers).toBeUndefined()
})

test('external data is found in graphs inside of nodes and of functions', async () => {
  const branch = nest(5, nest(6, external(entry('location', 'branch'))))
  const constant = nest(5, nest(5, nest(8, 'c'), entry('location', 'constant'), int(14, 1)))
  const bytes = joined(model(nest(1, branch)), nest(25, nest(7, constant)))
  expect(await judged(bytes, 'm.onnx')).toMatchObject({ refers: [{ path: 'branch' }, { path: 'constant' }] })
})

test('a large model whose tensors are inside of it costs few reads', async () => {
  const tensors = Array.from({ length: 30 }, () => nest(5, nest(9, new Uint8Array(300_000).fill(3))))
  const found = await judged(model(...tensors), 'm.onnx')
  expect(found).toMatchObject({ judgement: 'complete' })
  expect(found.spent.reads).toBeLessThanOrEqual(4)
  const hollow = joined(int(1, 8), nest(7, ...tensors), new Uint8Array(20))
  expect(await judged(hollow, 'm.onnx')).toMatchObject({ judgement: 'broken' })
})

test('long lists of numbers are stepped over', async () => {
  const list = nest(1, nest(5, nest(1, 'nodes'), joined(...new Array(50_000).fill(int(8, 1)))))
  expect(await judged(model(list, external(entry('location', 'a'))), 'm.onnx')).toMatchObject({
    refers: [{ path: 'a' }],
  })
})

test('the versions of operators come since the third version', async () => {
  expect(await judged(joined(int(1, 2), nest(7)), 'm.onnx')).toMatchObject({ judgement: 'complete' })
  expect(await judged(joined(int(1, 3), nest(7)), 'm.onnx')).toMatchObject({ judgement: 'broken' })
})

const odd: Record<string, Buffer> = {
  'a field of the future': joined(model(), nest(99, 'new')),
  'a field of another kind': joined(int(1, 8), int(7, 3)),
  'a group': joined(int(1, 8), [0x1b, 0x1c]),
  'a pointer to a file of Git LFS': joined('version https://git-lfs.github.com/spec/v1\n'),
  'a graph alone': nest(1, nest(4, 'Gemm'), nest(1, 'x')),
  'zeros before the graph': joined(int(1, 8), new Uint8Array(20)),
}
for (const [what, bytes] of Object.entries(odd)) {
  test(`unknown: ${what}`, async () => {
    expect(await judged(bytes, 'm.onnx')).toMatchObject({ judgement: 'unknown' })
  })
}

test('whatever the graph holds, the fields around it decide', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (graph) => {
      const bytes = joined(int(1, 8), nest(7, graph), opset)
      expect((await judged(bytes, 'm.onnx')).judgement).toBe('complete')
      expect((await judged(bytes.subarray(0, -1), 'm.onnx')).judgement).toBe('broken')
    }),
  )
})
