import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { folderFindings } from '../../src/formats/folders.ts'

const listing = (...entries: readonly (string | readonly [string, number])[]) =>
  new Map(
    entries.map((entry) => (typeof entry === 'string' ? [entry, { size: 1000 }] : [entry[0], { size: entry[1] }])),
  )
const found = (...entries: readonly (string | readonly [string, number])[]) =>
  folderFindings(listing(...entries)).map(({ path, severity }) => `${severity} ${path}`)

const id = '1c9f7a3e-6d0b-4a53-9a06-0f8b8f1d2c3e'

describe('shards', () => {
  test('the missing ones are named, counted from 1 or from 0 as the writer does', () => {
    expect(found('m/model-00001-of-00003.safetensors', 'm/model-00003-of-00003.safetensors')).toEqual([
      'error m/model-00002-of-00003.safetensors',
    ])
    expect(found('model-00001-of-00002.safetensors')).toEqual(['error model-00002-of-00002.safetensors'])
    expect(found('pytorch_model-00002-of-00002.bin')).toEqual(['error pytorch_model-00001-of-00002.bin'])
    expect(found('q-00002-of-00002.gguf')).toEqual(['error q-00001-of-00002.gguf'])
    expect(found('variables/variables.data-00001-of-00002')).toEqual(['error variables/variables.data-00000-of-00002'])
    expect(found('model-00001-of-00002.fp16.safetensors')).toEqual(['error model-00002-of-00002.fp16.safetensors'])
  })

  test('what a group lacks is told once, and of many only some are named', () => {
    const all = folderFindings(listing('model-00001-of-99999.safetensors'))
    expect(all).toHaveLength(5)
    expect(all[0]).toEqual({
      path: 'model-00002-of-99999.safetensors',
      because: '1 of 99999 shards are stored, and this one is not, and 99993 more are missing',
      severity: 'error',
      folder: '',
    })
  })

  test.each([
    ['whole ones', ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']],
    ['whole ones from 0', ['train-00000-of-00002.parquet', 'train-00001-of-00002.parquet']],
    ['one shard', ['v.data-00000-of-00001', 'data-00000-of-00001.arrow']],
    [
      'what is left over of another number of shards',
      ['model-00001-of-00001.safetensors', 'model-00002-of-00003.safetensors'],
    ],
    ['the share that one worker logged', ['part-00003-of-00010', 'train-00007-of-00128.tfrecord']],
    [
      'numbers that only look alike',
      ['plot-00001-of-00009.png', 'model-1-of-3.bin', 'model-00001-of-00003-backup.bin'],
    ],
    [
      'weights of the same name in other folders',
      ['a/model-00001-of-00001.safetensors', 'b/model-00001-of-00001.safetensors'],
    ],
  ])('no finding: %s', (_, paths) => {
    expect(found(...paths)).toEqual([])
  })

  test('a hole in data is a warning, as is one in shards beside a file that holds all', () => {
    expect(found('part-00000-of-00003', 'part-00002-of-00003')).toEqual(['warning part-00001-of-00003'])
    expect(found('model.safetensors', 'model-00001-of-00002.safetensors')).toEqual([
      'warning model-00002-of-00002.safetensors',
    ])
  })

  test('an index without any shard', () => {
    expect(found('m/model.safetensors.index.json', 'm/config.json')).toEqual(['error m/model.safetensors.index.json'])
    expect(found('m/model.safetensors.index.json', 'm/other.safetensors')).toEqual([])
    expect(found('search.index.json', 'search.v2.index.json')).toEqual([])
  })
})

describe('a saved model', () => {
  const [graph, index, data] = [
    'm/saved_model.pb',
    'm/variables/variables.index',
    'm/variables/variables.data-00000-of-00001',
  ]
  test('needs its index and its data together, and its graph', () => {
    expect(found(graph, index)).toEqual([`error ${data}`])
    expect(found(graph, data)).toEqual([`error ${index}`])
    expect(found('m/fingerprint.pb', index, data)).toEqual([`error ${graph}`])
  })
  test.each([
    ['whole', [graph, index, data, 'm/fingerprint.pb']],
    ['without variables', [graph, 'm/fingerprint.pb']],
    ['with a graph in text', ['m/saved_model.pbtxt', index, data]],
    ['a checkpoint by that name', [index, data]],
    ['a folder of variables of something else', ['variables/a.csv', 'variables/variables.index']],
  ])('no finding: %s', (_, paths) => {
    expect(found(...paths)).toEqual([])
  })
})

describe('Spark', () => {
  const parts = [`t/part-00000-${id}-c000.snappy.parquet`, `t/part-00001-${id}-c000.snappy.parquet`]
  test('parts without the mark of success are a warning', () => {
    expect(found(...parts)).toEqual(['warning t/_SUCCESS'])
    expect(found('m/metadata/part-00000')).toEqual(['warning m/metadata/_SUCCESS'])
  })
  test.each([
    ['with the mark', [...parts, 't/_SUCCESS']],
    ['a Delta table', [...parts, 't/_delta_log/00000000000000000000.json']],
    [
      'a partition of a Delta table',
      ['t/_delta_log/0.json', `t/day=1/part-00000-${id}.c000.parquet`, `t/day=1/part-00001-${id}.c000.parquet`],
    ],
    [
      'a partitioned table',
      ['t/_SUCCESS', `t/day=1/part-00000-${id}.c000.parquet`, `t/day=1/part-00001-${id}.c000.parquet`],
    ],
    ['what Databricks committed', [...parts, 't/_committed_123', 't/_started_123']],
    ['a copy of one part', parts.slice(0, 1)],
    ['parts of something else', ['t/part-00000', 't/part-1.csv', 't/part.0.parquet', 't/part.1.parquet']],
  ])('no finding: %s', (_, paths) => {
    expect(found(...paths)).toEqual([])
  })

  const checked = (size: number, sidecar: number, name = 'part-00000') =>
    found('d/_SUCCESS', [`d/${name}`, size], [`d/.${name}.crc`, sidecar])
  test('the file of checksums tells the size of its part to 512 bytes', () => {
    for (const [size, sidecar] of [
      [0, 8],
      [1, 12],
      [512, 12],
      [513, 16],
      [10_000, 8 + 4 * 20],
    ] as const) {
      expect(checked(size, sidecar)).toEqual([])
    }
    expect(checked(512, 16)).toEqual(['error d/part-00000'])
    expect(checked(0, 12)).toEqual(['error d/part-00000'])
    expect(checked(600, 12)).toEqual(['warning d/part-00000'])
    expect(checked(600, 13)).toEqual(['warning d/.part-00000.crc'])
    expect(checked(600, 0)).toEqual(['warning d/.part-00000.crc'])
    expect(found('d/_SUCCESS', ['d/.part-00000.crc', 12])).toEqual(['error d/part-00000'])
    expect(found('d/_SUCCESS', ['d/.part-00000.crc', 8])).toEqual(['warning d/part-00000'])
  })
  test('blocks of another size are no damage', () => {
    const both = (bytes: number) =>
      found(
        'd/_SUCCESS',
        ...[5000, 9000].flatMap((size, at) => [
          [`d/part-0000${at}`, size] as const,
          [`d/.part-0000${at}.crc`, 8 + 4 * Math.ceil(size / bytes)] as const,
        ]),
      )
    expect(both(512)).toEqual([])
    expect(both(256)).toEqual([])
    expect(both(300)).toEqual(['error d/part-00000', 'error d/part-00001'])
  })

  const pipeline = [
    'm/metadata/part-00000',
    'm/metadata/_SUCCESS',
    'm/stages/0_Tokenizer_1a2b3c4d5e6f/metadata/part-00000',
    'm/stages/0_Tokenizer_1a2b3c4d5e6f/metadata/_SUCCESS',
    'm/stages/1_LogisticRegression_a1b2c3d4e5f6/metadata/part-00000',
    'm/stages/1_LogisticRegression_a1b2c3d4e5f6/metadata/_SUCCESS',
    `m/stages/1_LogisticRegression_a1b2c3d4e5f6/data/part-00000-${id}-c000.snappy.parquet`,
    'm/stages/1_LogisticRegression_a1b2c3d4e5f6/data/_SUCCESS',
  ]
  test('a pipeline has all its stages, and each describes itself', () => {
    expect(found(...pipeline)).toEqual([])
    const without = (part: string) => found(...pipeline.filter((path) => !path.includes(part)))
    expect(without('m/metadata/part')).toEqual(['error m/metadata/part-00000'])
    expect(without('0_Tokenizer')).toEqual(['error m/stages/0_'])
    expect(without('1_LogisticRegression_a1b2c3d4e5f6/metadata/part')).toEqual([
      'error m/stages/1_LogisticRegression_a1b2c3d4e5f6/metadata/part-00000',
    ])
    expect(found('stages/0_draft/notes.txt', 'stages/2_final/notes.txt')).toEqual([])
  })
})

test('a checkpoint of Orbax without manifest or data is a warning', () => {
  const whole = [
    'c/_METADATA',
    'c/_sharding',
    'c/manifest.ocdbt',
    'c/d/1f3a',
    'c/ocdbt.process_0/manifest.ocdbt',
    'c/ocdbt.process_0/d/22',
  ]
  expect(found(...whole)).toEqual([])
  expect(found(...whole.filter((path) => path !== 'c/manifest.ocdbt'))).toEqual(['warning c/manifest.ocdbt'])
  expect(found(...whole.filter((path) => path !== 'c/d/1f3a'))).toEqual(['warning c/d/'])
  expect(found(...whole.filter((path) => path !== 'c/_METADATA'))).toEqual(['warning c/_METADATA'])
  expect(found('d/file', 'e/d/file', 'manifest.json')).toEqual([])
})

test('a CoreML package has its manifest and its content', () => {
  const whole = ['a.mlpackage/Manifest.json', 'a.mlpackage/Data/com.apple.CoreML/model.mlmodel']
  expect(found(...whole)).toEqual([])
  expect(found(...whole.slice(1))).toEqual(['error a.mlpackage/Manifest.json'])
  expect(found(...whole.slice(0, 1))).toEqual(['error a.mlpackage/Data/'])
  expect(found('a/Manifest.json', 'b/Data/x')).toEqual([])
})

test('keys that begin with slashes, which an object store may hold, are gone through', () => {
  for (const start of ['/metadata/', '//metadata/', 'a//metadata/']) {
    expect(found(`${start}part-00000`, `${start}part-00001`)).toEqual([`warning ${start}_SUCCESS`])
    expect(found(`${start}part-00000`, `${start}part-00001`, '_SUCCESS')).toEqual([])
  }
})

test('a folder of 100,000 files and hostile names are gone through', () => {
  const names = Array.from({ length: 100_000 }, (_, index) => `f/part-${String(index).padStart(5, '0')}-of-99999`)
  expect(folderFindings(listing(...names))).toEqual([])
  const word = fc.constantFrom(
    '',
    'a',
    'part-00000',
    '.part-00000.crc',
    'model-00000-of-00000.gguf',
    'model-00009-of-00001.bin',
    'stages',
    '0_a',
    'metadata',
    'd',
    '..',
    '_METADATA',
    'variables',
    'variables.index',
    'saved_model.pb',
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.array(word, { maxLength: 4 }), fc.nat()), { maxLength: 20 }), (paths) => {
      const found = folderFindings(new Map(paths.map(([path, size]) => [path.join('/'), { size }])))
      for (const { path, folder } of found) expect(path.startsWith(folder)).toBe(true)
    }),
  )
})
