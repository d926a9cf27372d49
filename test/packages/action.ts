import { spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'

/** Carries out the steps of a composite action as GitHub does, as far as this project's action goes. */
interface Action {
  readonly inputs: Readonly<Record<string, { readonly default?: string }>>
  readonly outputs: Readonly<Record<string, { readonly value: string }>>
  readonly runs: {
    readonly using: string
    readonly steps: readonly {
      readonly id: string
      readonly shell: string
      readonly env: Readonly<Record<string, string>>
      readonly run: string
    }[]
  }
}

export interface ActionRun {
  readonly code: number
  readonly printed: string
  readonly outputs: Readonly<Record<string, string>>
  /** The job's summary. */
  readonly summary: string
}

const bash = (script: string, cwd: string, env: Record<string, string>) =>
  new Promise<{ code: number; printed: string }>((resolve, reject) => {
    // The options that GitHub gives to `shell: bash`.
    const child = spawn('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script], {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let printed = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data: Buffer) => {
        printed += data
      })
    }
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? -1, printed }))
  })

export const runAction = async (
  file: string,
  of: { inputs: Record<string, string>; env: Record<string, string>; cwd: string; temp: string },
): Promise<ActionRun> => {
  const action: Action = parse(await readFile(file, 'utf8'))
  if (action.runs.using !== 'composite') throw new Error('only composite actions are known here')
  const unknown = Object.keys(of.inputs).find((name) => action.inputs[name] === undefined)
  if (unknown !== undefined) throw new Error(`the action has no input ${unknown}`)
  const inputs = Object.fromEntries(
    Object.entries(action.inputs).map(([name, { default: usual = '' }]) => [name, of.inputs[name] ?? usual]),
  )
  const outputs: Record<string, Record<string, string>> = {}
  const filled = (text: string): string =>
    text.replace(
      /\$\{\{\s*([\w.-]+(?:\s*\|\|\s*[\w.-]+)*)\s*\}\}/g,
      (_, names: string) =>
        names
          .split('||')
          .map((name) => valueOfName(name.trim()))
          .find((value) => value !== '') ?? '',
    )
  const valueOfName = (name: string): string => {
    const [scope, ...rest] = name.split('.')
    if (scope === 'inputs') return inputs[rest.join('.')] ?? ''
    if (name === 'runner.temp') return of.temp
    if (scope === 'steps' && rest[1] === 'outputs') return outputs[rest[0] ?? '']?.[rest[2] ?? ''] ?? ''
    throw new Error(`the expression ${name} is not known here`)
  }
  await mkdir(of.temp, { recursive: true })
  const summaryFile = join(of.temp, 'summary.md')
  await writeFile(summaryFile, '')
  let printed = ''
  let code = 0
  for (const step of action.runs.steps) {
    if (step.shell !== 'bash') throw new Error(`the shell ${step.shell} is not known here`)
    if (/\$\{\{/.test(step.run))
      throw new Error(`the script of ${step.id} is filled in by GitHub, where an input could be code`)
    const outputFile = join(of.temp, `output-${step.id}`)
    await writeFile(outputFile, '')
    const own = Object.fromEntries(Object.entries(step.env).map(([name, value]) => [name, filled(value)]))
    const ran = await bash(step.run, of.cwd, {
      ...of.env,
      ...own,
      GITHUB_OUTPUT: outputFile,
      GITHUB_STEP_SUMMARY: summaryFile,
      GITHUB_ACTIONS: 'true',
      CI: 'true',
    })
    printed += ran.printed
    outputs[step.id] = Object.fromEntries(
      (await readFile(outputFile, 'utf8'))
        .split('\n')
        .filter((line) => line.includes('='))
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    )
    if (ran.code !== 0) {
      code = ran.code
      break
    }
  }
  return {
    code,
    printed,
    outputs: Object.fromEntries(Object.entries(action.outputs).map(([name, { value }]) => [name, filled(value)])),
    summary: await readFile(summaryFile, 'utf8'),
  }
}
