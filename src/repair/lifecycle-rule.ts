import { Trouble } from '../errors.ts'
import type { Step, StepState } from '../report.ts'
import { abortAfterDays, abortRule, sharedFolder } from '../stores/abort-rule.ts'
import type { BucketSettings, Lifecycle } from '../stores/bucket.ts'
import { count } from '../words.ts'
import type { Place, Planned } from './types.ts'

const lifecycleOf = ({ lifecycle }: BucketSettings): Lifecycle => {
  if ('told' in lifecycle) return lifecycle.told
  throw lifecycle.untold
}

/** Equal texts are equal rules: what was read is compared before anything is replaced. */
const textOf = ({ rules, minimumSize }: Lifecycle): string => JSON.stringify([rules, minimumSize])

/** One rule for the experiment that the target lies in; undefined where one covers it already. A store without such rules says so in the step. */
export const planRule = async (place: Place, signal?: AbortSignal): Promise<Planned | undefined> => {
  const { target, store } = place
  const common = { target: target.name, path: '', action: 'add-lifecycle-rule', effect: 'changes-settings' } as const
  const step: Step = { ...common, bytes: 0, sent: 0, reused: 0, state: 'planned' }
  const failed = (because: string): Planned => ({ do: 'rule', before: '', step: { ...step, state: 'failed', because } })
  if (store.bucket === undefined) return failed('the store is no bucket that this machine reaches itself')
  try {
    const settings = await store.bucket.settings(signal)
    const lifecycle = lifecycleOf(settings)
    if (lifecycle.abortAfterDays !== undefined) return undefined
    const root = sharedFolder(settings.prefix)
    const { ID } = abortRule(lifecycle.rules, root)
    const others =
      lifecycle.rules.length === 0
        ? 'there is no other rule'
        : `${count(lifecycle.rules.length, 'rule')} stay as they are`
    const because = `adds ${ID}: uploads below s3://${settings.name}/${root} are aborted after ${abortAfterDays} days; ${others}`
    return { do: 'rule', before: textOf(lifecycle), step: { ...step, because } }
  } catch (error) {
    if (!(error instanceof Trouble)) throw error
    return failed(`${error.why}. ${error.todo}`)
  }
}

type Ending = { readonly state: StepState; readonly because: string }

/** Reads once more just before: a replacement names all rules, so one that was added meanwhile would be lost. */
export const addRule = async (
  { before }: Planned & { do: 'rule' },
  { store }: Place,
  signal?: AbortSignal,
): Promise<Ending> => {
  if (store.bucket === undefined) return { state: 'failed', because: 'the store is no bucket' }
  const settings = await store.bucket.settings(signal)
  const now = lifecycleOf(settings)
  if (now.abortAfterDays !== undefined) return { state: 'verified', because: 'a rule covers it already' }
  if (textOf(now) !== before) {
    return {
      state: 'failed',
      because: 'somebody changed the rules since the plan was made. Run the same command again',
    }
  }
  const rule = abortRule(now.rules, sharedFolder(settings.prefix))
  await store.bucket.replaceLifecycle({ ...now, rules: [...now.rules, rule] }, signal)
  const after = lifecycleOf(await store.bucket.settings(signal))
  const kept = now.rules.every((one) => after.rules.some((each) => JSON.stringify(each) === JSON.stringify(one)))
  if (!kept) return { state: 'unverified', because: 'the rules that were there read otherwise now; look at them' }
  return after.abortAfterDays === undefined
    ? { state: 'unverified', because: 'the store took the rule and does not show it' }
    : { state: 'verified', because: `unfinished uploads are aborted after ${after.abortAfterDays} days` }
}
