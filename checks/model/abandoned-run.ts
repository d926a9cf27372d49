import { defineCheck } from '../../src/check.ts'
import { orphanAge, runSigns, target } from '../../src/needs/declarations.ts'
import { duration, shellWord } from '../../src/words.ts'

export default defineCheck({
  id: 'model/abandoned-run',
  title: 'A run that is RUNNING shows life',
  severity: 'warning',
  on: ['scan'],
  needs: [target, runSigns, orphanAge],
  wants: [],
  facts: { runStatus: 'text', age: 'ms' },
  explain: {
    measures:
      'Of a run whose status is RUNNING, looks for the newest time that anything carries: its start, its metrics, stored files, parts of unfinished uploads, its logged models and their files, its child runs. Nothing newer than 24 hours (--older-than) means that it was abandoned. What carries no time, such as files behind a tracking server, may be newer.',
    breaks:
      'MLflow has no heartbeat: a client that was killed, or whose machine went away, leaves its run RUNNING for ever, and what it did not upload is missing without a trace.',
    remedy:
      'When nothing trains there any more, end the run by MLflow’s client; no command of the mlflow program does it. Then see whether its artifacts are whole. mlflow-doctor never changes the status of a run.',
  },
  async *run({ target, runSigns: { runId, status, lastSign, undated }, orphanAge }) {
    if (status !== 'RUNNING' || lastSign === undefined) return
    // Against this machine's clock: most of these times come from the clients, none from the tracking store.
    const age = Date.now() - lastSign
    if (age < orphanAge) return
    const end = `from mlflow import MlflowClient; MlflowClient().set_terminated('${runId}', 'KILLED')`
    yield {
      kind: 'finding',
      at: target.name,
      says: `the run is RUNNING, and nothing of it is newer than ${duration(age)}${undated === undefined ? '' : `, as far as times are known (unknown: ${undated})`}`,
      // What has no time may be new: told, and not as damage.
      severity: undated === undefined ? 'warning' : 'info',
      facts: { runStatus: status, age },
      remedy: {
        text: 'When nothing trains there any more, end it by MLflow’s client.',
        commands: [`python -c ${shellWord(end)}`],
      },
    }
  },
})
