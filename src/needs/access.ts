/** What a login may do, asked without doing it. */
import { NotApplicable, Trouble } from '../errors.ts'
import { keeper, proxiedPlace } from './canaries.ts'
import { access, route, server, target } from './declarations.ts'
import type { Needed } from './needed.ts'
import { type Opening, opener } from './opener.ts'

export const accessOpener = opener(access, async (opening: Opening<Needed>) => {
  const { open, signal } = opening
  const tracked = await open(server)
  const { experimentId, assumed } = await open(target)
  if (experimentId === undefined) throw new NotApplicable('the target is no experiment or run')
  // Who makes an experiment may do everything in it, whatever holds for the one that stands for it now.
  const log = assumed === undefined ? await mayLog(experimentId) : undefined
  const { proxied, location } = await open(route)
  const remove = proxied ? await mayRemove() : undefined
  const told = { ...(log !== undefined && { log }), ...(remove !== undefined && { remove }) }
  return {
    value: told,
    facts: { ...(log !== undefined && { mayLog: log }), ...(remove !== undefined && { mayRemove: remove }) },
  }

  // Without a key nothing can be set: MLflow answers 400, after the login was looked at (handlers.py and auth, 2.22 to 3.17).
  async function mayLog(id: string): Promise<boolean | undefined> {
    const asked = await tracked.text('POST', '/api/2.0/mlflow/experiments/set-experiment-tag', {
      json: { experiment_id: id },
      what: `ask whether experiment ${id} may be written to`,
      signal,
    })
    const { status } = asked.response
    return status === 403 ? false : status === 400 ? true : undefined
  }

  async function mayRemove(): Promise<boolean | undefined> {
    try {
      await proxiedPlace(tracked, location).remove(keeper(opening).name(Date.now()), signal)
      return true
    } catch (error) {
      if (!(error instanceof Trouble)) throw error
      return error.kind === 'denied' ? false : undefined
    }
  }
})
