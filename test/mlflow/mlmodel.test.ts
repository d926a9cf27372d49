import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Trouble } from '../../src/errors.ts'
import { parseModelFile } from '../../src/mlflow/mlmodel.ts'

const samples = join(import.meta.dirname, 'samples')
const names = readdirSync(samples).flatMap((file) => /^(.*)\.yaml$/.exec(file)?.[1] ?? [])

/** The listing that `samples.py` wrote beside each MLmodel: path to bytes. */
const filesOf = (name: string): Map<string, number> =>
  new Map(
    readFileSync(join(samples, `${name}.files`), 'utf8')
      .trim()
      .split('\n')
      .map((line) => [line.slice(line.indexOf(' ') + 1), Number.parseInt(line, 10)]),
  )
const sample = (name: string) => parseModelFile(readFileSync(join(samples, `${name}.yaml`), 'utf8'))
const flavor = (body: string) => parseModelFile(`flavors:\n  sklearn:\n    ${body}\n`)
const refusal = (text: string): Trouble => {
  try {
    parseModelFile(text)
  } catch (error) {
    if (error instanceof Trouble) return error
    throw error
  }
  throw new Error('it was read')
}

describe('MLmodel files that MLflow 2.22.1 and 3.17.2 really wrote', () => {
  test('there are samples of both versions', () => {
    expect(names.filter((name) => name.endsWith('3.17.2')).length).toBeGreaterThan(7)
    expect(names.filter((name) => name.endsWith('2.22.1')).length).toBeGreaterThan(3)
  })

  test.each(names)('%s: every path that it refers to is in the folder, and nothing is refused', (name) => {
    const files = [...filesOf(name).keys()]
    const { refers, refused } = sample(name)
    expect(refused).toEqual([])
    expect(refers.length).toBeGreaterThan(0)
    for (const { path, by } of refers)
      expect(
        files.some((file) => file === path || file.startsWith(`${path}/`)),
        `${path} (${by})`,
      ).toBe(true)
  })

  test.each(names)('%s: every file is referred to but MLmodel itself', (name) => {
    const { refers } = sample(name)
    const left = [...filesOf(name).keys()].filter(
      (file) => !refers.some(({ path }) => file === path || file.startsWith(`${path}/`)),
    )
    // A flavor without python_function names no environment files.
    const environment = ['conda.yaml', 'python_env.yaml', 'requirements.txt']
    const unnamed = sample(name).flavors.includes('python_function') ? [] : environment
    expect(left.sort()).toEqual(['MLmodel', ...unnamed].sort())
  })

  test.each(names)('%s: its size is that of the files that count', (name) => {
    const { modelSize, codeUncounted } = sample(name)
    const uncounted = ['MLmodel', 'conda.yaml', 'python_env.yaml', 'requirements.txt']
    const counted = [...filesOf(name)].filter(
      ([path]) => !uncounted.includes(path) && !(codeUncounted && path.startsWith('code/')),
    )
    expect(modelSize).toBe(counted.reduce((sum, [, bytes]) => sum + bytes, 0))
  })

  test('a model from code names its file by the path that it had in training: only the last part counts', () => {
    expect(sample('pyfunc-from-code-3.17.2').refers).toContainEqual({
      path: 'agent.py',
      by: 'flavors.python_function.model_code_path',
      needed: 'loading',
    })
  })

  test('ids, version, flavors and kinds of need', () => {
    const text = readFileSync(join(samples, 'sklearn-3.17.2.yaml'), 'utf8').replace(
      'model_id: null',
      'model_id: m-1\nrun_id: abc',
    )
    const model = parseModelFile(text)
    expect(model).toMatchObject({ modelId: 'm-1', runId: 'abc', mlflowVersion: '3.17.2', codeUncounted: false })
    expect(model.flavors).toEqual(['python_function', 'sklearn'])
    expect(Object.fromEntries(model.refers.map(({ path, needed }) => [path, needed]))).toEqual({
      'model.skops': 'loading',
      'conda.yaml': 'environment',
      'python_env.yaml': 'environment',
      'requirements.txt': 'environment',
      'input_example.json': 'example',
      'serving_input_example.json': 'example',
    })
  })
})

describe('keys of flavors that are not installed here, as the source of MLflow 3.17.2 writes them', () => {
  const paths = (text: string) => parseModelFile(text).refers.map(({ path }) => path)

  test('transformers with its weights: model, components, processor of an adapter', () => {
    const text =
      'flavors: {transformers: {model_binary: model, peft_adaptor: peft, components: [tokenizer, image_processor]}}'
    expect(paths(text)).toEqual(['model', 'peft', 'components/tokenizer', 'components/image_processor'])
  })
  test('transformers that leaves its weights on the hub refers to no component', () => {
    expect(paths('flavors: {transformers: {source_model_revision: abc, components: [tokenizer]}}')).toEqual([])
  })
  test('tensorflow, pytorch, spark, langchain, diffusers, dspy', () => {
    expect(paths('flavors: {tensorflow: {saved_model_dir: tf2model}}')).toEqual(['tf2model'])
    expect(paths('flavors: {pytorch: {model_data: data}}')).toEqual(['data'])
    expect(paths('flavors: {spark: {model_data: sparkml}}')).toEqual(['sparkml'])
    expect(paths('flavors: {langchain: {model_data: model.yaml, persist_dir: persist_dir_data}}')).toEqual([
      'model.yaml',
      'persist_dir_data',
    ])
    expect(paths('flavors: {diffusers: {adapter_weights: adapter_weights}}')).toEqual(['adapter_weights'])
    expect(paths('flavors: {dspy: {model_path: data/model.pkl}}')).toEqual(['data/model.pkl'])
  })
  test('an environment written as one string, as before 2.0', () => {
    expect(paths('flavors: {python_function: {env: conda.yaml}}')).toEqual(['conda.yaml'])
  })
  test('a flavor that nobody knows still has code and extra files', () => {
    expect(paths('flavors: {my_flavor: {data: somewhere, code: code, extra_files: [{path: extra_files/a}]}}')).toEqual([
      'code',
      'extra_files/a',
    ])
  })
  test('the source of an artifact is no path of the store', () => {
    const text = 'flavors: {python_function: {artifacts: {a: {path: artifacts/a, uri: /home/me/a}}}}'
    expect(parseModelFile(text)).toMatchObject({ refers: [{ path: 'artifacts/a' }], refused: [] })
  })
})

describe('hostile MLmodel files', () => {
  test.each([
    ['/etc/passwd', 'absolute'],
    ['C:/windows', 'absolute'],
    ['../other', 'leads out'],
    ['a/../../b', 'leads out'],
    ['a/./b', '"." part'],
    ['a//b', '"." part'],
    ['"a\\\\b"', 'backslash'],
    ['"a\\0b"', 'control'],
    ['"a\\e[31m"', 'control'],
    ['s3://bucket/key', 'URI'],
    ['file:x', 'URI'],
    ['~/x', 'home'],
    ['x'.repeat(1025), 'longer'],
  ])('the path %s is refused and never referred to', (path, why) => {
    const model = flavor(`pickled_model: ${path}`)
    expect(model.refers).toEqual([])
    expect(model.refused).toHaveLength(1)
    expect(model.refused[0]?.why).toContain(why)
    expect(model.refused[0]?.path).not.toMatch(/[\u0000-\u001f]/)
  })

  test('a code path of another machine cannot climb by its last part', () => {
    const model = parseModelFile('flavors: {python_function: {model_code_path: /a/b/..}}')
    expect(model).toMatchObject({ refers: [], refused: [{ path: '..' }] })
  })

  test.each([
    ['an unknown tag', 'flavors: !!python/object/apply:os.system {a: b}', 'TAG_RESOLVE'],
    ['brackets', `flavors: ${'['.repeat(100_000)}`, 'nested'],
    ['dashes', '- '.repeat(100_000), 'nested'],
    ['indentation', Array.from({ length: 1000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), 'nested'],
    ['many aliases', Array.from({ length: 9000 }, (_, i) => `k${i}: &a${i} 1`).join('\n'), 'aliases'],
    ['many keys', Array.from({ length: 70_000 }, (_, i) => `k${i}: 1`).join('\n'), 'parts'],
    ['many bytes', `a: ${'a'.repeat(1024 * 1024)}`, '1 MiB'],
    ['nothing', '', 'mapping'],
    ['a list', '- 1', 'mapping'],
    ['no flavors', 'run_id: a', 'flavors'],
    ['half a file', 'flavors:\n  sklearn: {pickled', 'YAML'],
  ])('%s is an unexpected answer', (_, text, why) => {
    const trouble = refusal(text)
    expect(trouble.kind).toBe('unexpected-answer')
    expect(trouble.why).toContain(why)
  })

  test('aliases that multiply are stopped', () => {
    const lines = ['a: &a [1,1,1,1,1,1,1,1,1]']
    for (const [i, c] of [...'bcdefgh'].entries())
      lines.push(`${c}: &${c} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`)
    expect(refusal([...lines, 'flavors: {x: *h}'].join('\n')).kind).toBe('unexpected-answer')
  })

  test('a size that is no number of bytes is not taken', () => {
    for (const size of ['-1', '1.5', '"12"', '1e300', '.nan'])
      expect(parseModelFile(`flavors: {a: {}}\nmodel_size_bytes: ${size}`).modelSize).toBeUndefined()
  })

  test('keys of the prototype are plain keys', () => {
    expect(parseModelFile('flavors: {__proto__: {a: 1}, constructor: {code: code}}').flavors).toEqual([
      '__proto__',
      'constructor',
    ])
  })
})
