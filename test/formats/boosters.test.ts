import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cuts, judged } from './judging.ts'

// Written by LightGBM 4.7 (the Python package and its C interface), CatBoost 1.2 and XGBoost 3: with categories, of constant data, linear and dart ones.
const read = (format: string) => {
  const folder = new URL(`../../fixtures/formats/${format}/`, import.meta.url)
  return readdirSync(folder).map((name) => [name, readFileSync(new URL(name, folder))] as const)
}
const one = (format: string, name: string): Buffer =>
  read(format).find(([known]) => known === name)?.[1] ?? Buffer.alloc(0)

describe('LightGBM', () => {
  test.each(read('lightgbm'))('%s is whole, and its cuts are found', async (name, bytes) => {
    expect(await judged(bytes, name)).toMatchObject({ judgement: 'complete', format: { id: 'lightgbm' } })
    const found = await cuts(bytes, name)
    // Behind the parameters the file could end, as that of the command line does.
    expect(found.complete.length).toBeLessThan(3)
    expect(found.unknown.every((length) => length < 13)).toBe(true)
    expect(found.ended).toEqual([])
    expect(found.broken.length).toBeGreaterThan(bytes.indexOf('end of trees') - 13)
  })

  test('a missing part of the trees is broken', async () => {
    const bytes = one('lightgbm', 'model.lgb')
    const spliced = Buffer.concat([bytes.subarray(0, 900), bytes.subarray(1000)])
    expect(await judged(spliced, 'model.txt')).toMatchObject({ judgement: 'broken' })
  })

  test('what editors and other writers leave is not broken', async () => {
    const content = one('lightgbm', 'model.lgb').toString()
    const judgementOf = async (text: string) => (await judged(text, 'model.lgb')).judgement
    expect(await judgementOf(content.trimEnd())).toBe('suspect')
    expect(await judgementOf(content.replaceAll('\n', '\r\n'))).toBe('unknown')
    expect(await judgementOf(content.replace(/\nparameters:[\s\S]*end of parameters\n/, ''))).toBe('complete')
    expect(await judgementOf(content.replace(/^tree_sizes=.*\n/m, ''))).toBe('ended')
    expect(await judgementOf(content.replace('pandas_categorical:null', 'pandas_categorical:[[NaN, 1.5]]'))).toBe(
      'complete',
    )
    const long = `pandas_categorical:[[${Array(20_000).fill('"category"').join(', ')}]]`
    expect(await judgementOf(content.replace('pandas_categorical:null', long))).toBe('ended')
    expect(await judgementOf(content.replace('pandas_categorical:null', long.slice(0, -30)))).toBe('suspect')
  })

  test('a header of many trees is read on', async () => {
    const content = one('lightgbm', 'model.lgb').toString()
    const [, tree] = /\n\n(Tree=2\n[\s\S]*?)end of trees/.exec(content) ?? []
    const trees = Array(30_000).fill(tree?.length)
    const sizes = content.replace(/^tree_sizes=.*$/m, `$& ${trees.join(' ')}`)
    const long = sizes.replace('end of trees', `${tree?.repeat(trees.length)}end of trees`)
    expect(await judged(long, 'a.txt')).toMatchObject({ judgement: 'complete' })
    expect(await judged(long.slice(0, -8000), 'a.txt')).toMatchObject({ judgement: 'broken' })
  })
})

describe('CatBoost', () => {
  test.each(read('catboost'))('%s is whole, and its cuts are found', async (name, bytes) => {
    const judgement = name === 'text.cbm' ? 'ended' : 'complete'
    expect(await judged(bytes, name)).toMatchObject({ judgement, format: { id: 'catboost' } })
    const found = await cuts(bytes, name)
    // Parts for texts have no rule.
    const ruled = name === 'text.cbm' ? 8 + bytes.readUInt32LE(4) + 1 : bytes.length
    expect(found.broken.filter((length) => length < ruled)).toHaveLength(ruled)
  })
})

describe('UBJSON', () => {
  test.each(read('ubjson'))('%s is whole, and no cut of it is', async (name, bytes) => {
    expect(await judged(bytes, name)).toMatchObject({ judgement: 'complete', format: { id: 'ubjson' } })
    expect((await cuts(bytes, name)).broken).toHaveLength(bytes.length)
  })

  test('objects and arrays with and without types and counts', async () => {
    const judgementOf = async (text: string) => (await judged(Buffer.from(text, 'latin1'), 'a.ubj')).judgement
    for (const whole of [
      '{}',
      '{i\x01aZ}',
      '{i\x01a[$U#i\x03abc}',
      '{i\x01a[#i\x02TF}',
      '{i\x01a{#i\x01i\x01bi\x05}',
      '{i\x01a{$i#i\x02i\x01b\x01i\x01c\x02}',
      '{i\x01a[$[#i\x02ZZ]]}',
      '{i\x01aSU\x03abci\x01bHi\x0212i\x01cCx}',
      '{Ni\x01a[NZN]N}',
      '{#i\x01i\x01aT',
    ]) {
      expect(await judgementOf(whole), whole).toBe('complete')
    }
    expect(await judgementOf('{i\x01aZ}more')).toBe('ended')
    expect(await judgementOf('{i\x01aX}')).toBe('broken')
    expect(await judgementOf('{i\x01am\x01\x02}')).toBe('unknown')
    expect(await judgementOf('{l\x01\0\0\0aZ}')).toBe('unknown')
    expect(await judgementOf('binf\x01\x02\x03')).toBe('unknown')
    expect(await judgementOf('{"learner": {}}')).toBe('unknown')
    expect(await judgementOf('{L\x7f\xff\xff\xff\xff\xff\xff\xffaZ}')).toBe('unknown')
    expect(await judgementOf('{i\x01a[$i#L\x7f\xff\xff\xff\xff\xff\xff\xff}')).toBe('broken')
    expect(await judgementOf('{i\x01a[$Z#L\x7f\xff\xff\xff\xff\xff\xff\xff}')).toBe('complete')
    expect(await judgementOf(`{i\x01a${'['.repeat(20_000)}`)).toBe('unknown')
  })

  test('large arrays of numbers are stepped over', async () => {
    const count = Buffer.alloc(8)
    count.writeBigUInt64BE(5_000_000n)
    const array = Buffer.concat([Buffer.from('i\x01a[$d#L'), count, Buffer.alloc(20_000_000, 1)])
    const bytes = Buffer.concat([Buffer.from('{'), array, array, Buffer.from('}')])
    const found = await judged(bytes, 'a.ubj')
    expect(found).toMatchObject({ judgement: 'complete' })
    expect(found.spent.bytes).toBeLessThan(1_000_000)
    expect(await judged(bytes.subarray(0, -1), 'a.ubj')).toMatchObject({ judgement: 'broken' })
  })

  test('more small values than are walked are judged by the last byte', async () => {
    const bytes = Buffer.concat([Buffer.from('{i\x01a['), Buffer.alloc(6_000_000, 'Z'), Buffer.from(']}')])
    expect(await judged(bytes, 'a.ubj')).toMatchObject({ judgement: 'ended' })
    expect(await judged(bytes.subarray(0, -1), 'a.ubj')).toMatchObject({ judgement: 'suspect' })
  })
})

test('whatever follows the marks gets a verdict', async () => {
  const marks = ['tree\nversion=v4\n', 'CBM1', 'CBM1\x20\0\0\0', '{L\0\0\0\0\0\0', '{i\x01a['].map((mark) =>
    Buffer.from(mark, 'latin1'),
  )
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...marks), fc.uint8Array({ maxLength: 200 }), async (mark, rest) => {
      expect((await judged(Buffer.concat([mark, rest]), 'a.ubj')).judgement).toBeTypeOf('string')
    }),
  )
  const valid = [...read('lightgbm'), ...read('catboost'), ...read('ubjson')]
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...valid), fc.nat(), fc.nat({ max: 255 }), async ([name, whole], at, byte) => {
      const bytes = Buffer.from(whole)
      bytes[at % bytes.length] = byte
      expect((await judged(bytes, name)).judgement).toBeTypeOf('string')
    }),
  )
})
