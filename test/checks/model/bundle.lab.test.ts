import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { scanPickle } from '../../../src/formats/pickle-scan.ts'
import { examined } from '../../doctor.ts'
import { eventsOf, python, scratch, shared } from '../../lab/index.ts'

const id = 'model/bundle'

/** What the check says of a model that MLflow itself has saved. */
const ofModel = async (how: string) => {
  const out = join(await scratch(), 'model')
  const saved = await python('bundle.py', { args: ['--out', out, '--how', how] })
  expect(saved.code, saved.stderr).toBe(0)
  const env = { MLFLOW_TRACKING_URI: shared().mlflowFolder.url }
  const report = await examined(['check', '--only', id, '--model', out], { env })
  return report.checks.find((check) => check.id === id)
}

test('a model whose weights lie in artifacts, and a scikit-learn model of 20 MB: nothing to say', async () => {
  expect(await ofModel('clean')).toMatchObject({ state: 'ok', findings: [] })
  expect(await ofModel('sklearn')).toMatchObject({ state: 'ok', findings: [], measured: { pickles: 1 } })
})

test('a table in an attribute is named, and so are arrays in a mapping', async () => {
  expect((await ofModel('attribute'))?.findings).toMatchObject([
    {
      severity: 'warning',
      at: expect.stringMatching(/python_model\.pkl$/),
      says: expect.stringContaining('train_df (pandas.DataFrame, 15.3 MiB)'),
    },
    { severity: 'info', says: expect.stringContaining('settings.embedding (numpy.ndarray, 15.3 MiB)') },
  ])
})

test('a table in a global variable that a method names is named by both', async () => {
  expect((await ofModel('global'))?.findings).toMatchObject([
    { severity: 'warning', says: expect.stringContaining('predict.LOOKUP (pandas.DataFrame, 15.3 MiB)') },
  ])
})

test('a project that was given whole as code: its repository, its data, and the weights once more', async () => {
  const says = (await ofModel('code'))?.findings.map((finding) => finding.says)
  expect(says).toEqual([
    expect.stringMatching(/11\.4 MiB in 1 file .*environments, repositories.*code\/project\/\.git\/objects\/pack/),
    expect.stringMatching(/in 2 files .*data that lie beside the code.*weights\.npy.*train\.csv/),
    expect.stringMatching(/^without all of that the upload would weigh 30\.5 MiB in place of 86/),
  ])
})

test("pickles of all protocols, whole, cut and changed: walked to where Python's own pickletools comes to, and never beyond", async () => {
  const out = join(await scratch(), 'pickles')
  const written = await python('pickles.py', { args: ['--out', out, '--count', '40'] })
  expect(written.code, written.stderr).toBe(0)
  const all = readFileSync(out)
  const counts: Record<string, number> = {}
  for (const event of eventsOf(written)) {
    const { at, bytes, kind, protocol, end } = event as Record<'at' | 'bytes' | 'protocol', number> & {
      kind: string
      end: number | null
    }
    const data = all.subarray(at, at + bytes)
    const scan = await scanPickle({
      size: bytes,
      read: async (offset, length) => data.subarray(offset, offset + length),
    })
    const about = `${kind} of protocol ${protocol} at ${at}`
    expect(scan.walked, about).toBeLessThanOrEqual(bytes)
    expect(
      scan.holdings.reduce((sum, held) => sum + held.bytes, 0),
      about,
    ).toBeLessThanOrEqual(bytes)
    counts[kind] = (counts[kind] ?? 0) + 1
    // What was changed may be nonsense to pickletools and harmless here: names and texts are not judged.
    if (kind !== 'changed') expect(scan.verdict === 'whole' ? scan.walked : null, about).toBe(end)
  }
  expect(counts).toMatchObject({ whole: 240, longer: 240, cut: 240, changed: 720 })
})
