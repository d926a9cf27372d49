import { defineCheck } from '../../src/check.ts'
import { orphanAge, registrations, target } from '../../src/needs/declarations.ts'
import { duration } from '../../src/words.ts'

export default defineCheck({
  id: 'model/registration',
  title: 'Registered versions are ready, and what they point at is there',
  severity: 'error',
  on: ['scan'],
  needs: [target, registrations, orphanAge],
  wants: [],
  facts: { versionStatus: 'text', age: 'ms', source: 'text' },
  explain: {
    measures:
      'Reads the status of the version that was asked for, or of those that were registered from the run or model, and the time of its last change; looks whether the run or logged model behind it is known, and whether anything is stored at its place.',
    breaks:
      'A version keeps its name and number whatever becomes of the run, the model or the files behind it: serving finds it and fails when it loads. A registration that broke off leaves PENDING_REGISTRATION or FAILED_REGISTRATION for ever.',
    remedy:
      'Register the version anew once its files are whole, and delete the old one by MLflow’s client. mlflow-doctor changes nothing in the registry.',
  },
  async *run({ target, registrations: { versions }, orphanAge }) {
    for (const { version, stored, gone } of versions) {
      const at = `models:/${version.name}/${version.version}`
      const { status, statusMessage, source } = version
      const changed = version.updatedAt ?? version.createdAt
      // Against this machine's clock: the registry tells no time of its own.
      const age = changed === undefined ? undefined : Math.max(0, Date.now() - changed)
      const facts = { versionStatus: status, source, ...(age === undefined ? {} : { age }) }
      const since = age === undefined ? 'since an unknown time' : `for ${duration(age)}`
      if (status === 'PENDING_REGISTRATION' && (age === undefined || age < orphanAge)) {
        yield {
          kind: 'active',
          at,
          says: `the version is PENDING_REGISTRATION ${since}: it may be in progress`,
          facts,
        }
      } else if (status === 'PENDING_REGISTRATION' || status === 'FAILED_REGISTRATION') {
        yield {
          kind: 'finding',
          at,
          says: `the version is ${status} ${since}${statusMessage === undefined ? '' : `: ${statusMessage}`}`,
          facts,
          remedy: { text: 'Register it anew once its files are whole, and delete this version by MLflow’s client.' },
        }
      }
      if (gone !== undefined) {
        yield {
          kind: 'finding',
          at,
          says: `the version was registered from ${source}: ${gone}`,
          // The files may have outlived what they belonged to.
          severity: stored === true ? 'warning' : 'error',
          facts,
          remedy: {
            text: 'Log and register the model again before anything that serves this version is started anew.',
          },
        }
      } else if (stored === false) {
        yield {
          kind: 'finding',
          at,
          says: `the version points at ${source}, and nothing is stored there (looked at by way of ${target.name})`,
          facts,
          remedy: { text: 'Put the files back with repair, or log and register the model again.' },
        }
      }
    }
  },
})
