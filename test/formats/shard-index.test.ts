import { expect, test } from 'vitest'
import { unflagged } from './fixtures.ts'
import { cuts, judged } from './judging.ts'

const index = JSON.stringify({
  // Wrong where tensors are shared, as in real ones.
  metadata: { total_size: 1 },
  weight_map: {
    'a.weight': 'model-00001-of-00002.safetensors',
    'b.weight': 'model-00002-of-00002.safetensors',
    c: 'model-00001-of-00002.safetensors',
  },
})
const shards = [{ path: 'model-00001-of-00002.safetensors' }, { path: 'model-00002-of-00002.safetensors' }]

for (const name of ['model.safetensors.index.json', 'pytorch_model.bin.index.json']) {
  test(`names the files of its tensors, each once: ${name}`, async () => {
    const found = await judged(index, name)
    expect(found).toMatchObject({ judgement: 'complete', format: { id: 'shard-index' } })
    expect(found.refers).toEqual(shards)
    expect(unflagged(await cuts(index, name))).toEqual([])
  })
}

test('what has no map of tensors is judged as the JSON that it is', async () => {
  for (const text of ['{"weight_map":[1]}', '{"weight_map":{"a":5}}', '[]', '{}', 'null']) {
    const found = await judged(text, 'a.index.json')
    expect(found.judgement).toBe((await judged(text, 'a.json')).judgement)
    expect(found.refers).toBeUndefined()
  }
})
