import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { doctor } from '../doctor.ts'
import { systemProgram } from '../lab/apt.ts'
import { openShell } from './tmux.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-shells-'))
  for (const shell of ['zsh', 'fish']) await writeFile(join(dir, shell), (await doctor(['completion', shell])).stdout)
})
afterAll(() => rm(dir, { recursive: true, force: true }))

test('fish completes commands, options, their values and ids of checks', async () => {
  const fish = await systemProgram('fish', 'fish')
  const offers = (typed: string) =>
    execFileSync(fish, ['--no-config', '-c', `source ${join(dir, 'fish')}; complete -C '${typed}'`], {
      encoding: 'utf8',
      cwd: dir,
    })
      .trim()
      .split('\n')
      .map((line) => line.split('\t')[0])
  expect(offers('mlflow-doctor sc')).toEqual(['scan', 'schema'])
  expect(offers('mlflow-doctor check --train')).toEqual(['--training-time'])
  expect(offers('mlflow-doctor scan --format=ht')).toEqual(['--format=html'])
  expect(offers('mlflow-doctor check --only proxy/b')).toEqual(['proxy/body-limit'])
  expect(offers('mlflow-doctor explain store/che')).toEqual(['store/checksums'])
})

test('zsh completes them at its prompt', async () => {
  const zsh = await systemProgram('zsh', 'zsh')
  const shell = await openShell(`${zsh} -f`, { columns: 200, rows: 40, cwd: dir })
  try {
    await shell.type('PS1="> "; autoload -U compinit && compinit -u -D && source ./zsh && echo ready', 'Enter')
    await shell.until(/^ready$/m)
    for (const [typed, shows] of [
      ['mlflow-doctor chec', /> mlflow-doctor check$/m],
      ['mlflow-doctor check --train', /check --training-time/],
      ['mlflow-doctor explain store/che', /explain store\/checksums/],
      ['mlflow-doctor scan --format ht', /--format html/],
    ] as const) {
      await shell.type(typed, 'Tab')
      await shell.until(shows)
      await shell.type('C-u')
    }
    expect(await shell.history()).not.toMatch(/command not found|_arguments:/)
  } finally {
    await shell.close()
  }
})
