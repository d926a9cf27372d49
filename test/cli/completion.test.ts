import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { doctor } from '../doctor.ts'

let dir: string
let script: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-completion-'))
  script = join(dir, 'completion.bash')
  const ran = await doctor(['completion', 'bash'])
  expect(ran.code).toBe(0)
  await writeFile(script, ran.stdout)
})
afterAll(() => rm(dir, { recursive: true, force: true }))

/** What bash would offer for these words, the last of which is being typed. */
const offers = (...words: string[]): string[] => {
  const line = `source ${script}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _mlflow_doctor; printf '%s\\n' "\${COMPREPLY[@]}"`
  const ran = spawnSync('bash', ['-c', line], { encoding: 'utf8', cwd: dir })
  expect(ran.stderr).toBe('')
  return ran.stdout.trim().split('\n')
}

test.each([
  [['sc'], ['scan', 'schema']],
  [['check', '--si'], ['--size']],
  [
    ['check', '--fail-on', ''],
    ['info', 'warning', 'error'],
  ],
  [['scan', '--format', 'ht'], ['html']],
  [['check', '--only', 'proxy/b'], ['proxy/body-limit']],
  [['explain', 'store/ch'], ['store/checksums']],
  [
    ['completion', ''],
    ['bash', 'zsh', 'fish'],
  ],
  [['scan', '--against', ''], ['']],
  [['check', '--size', ''], ['']],
  [['scan', 'compl'], ['completion.bash']],
])('bash: %j', (typed, offered) => {
  expect(offers('mlflow-doctor', ...typed).sort()).toEqual([...offered].sort())
})

test('another shell is refused with the names of those that are known', async () => {
  const ran = await doctor(['completion', 'powershell'])
  expect(ran.code).toBe(2)
  expect(ran.stdout + ran.stderr).toMatch(/bash.*zsh.*fish/)
})
