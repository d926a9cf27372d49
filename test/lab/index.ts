import { afterAll, type TestContext } from 'vitest'
import { LabMissing } from './install.ts'
import { freshDir, removeDir } from './scratch.ts'

export { startAzurite } from './azurite.ts'
export { startGcs } from './gcs.ts'
export { startHaproxy } from './haproxy.ts'
export { LabMissing } from './install.ts'
export { LOGIN, startMlflow } from './mlflow.ts'
export { startNginx } from './nginx.ts'
export { payloadSha256 } from './payload.ts'
export { clientCommand, eventsOf, python } from './python.ts'
export type { Running } from './running.ts'
export { s3Sdk } from './s3.ts'
export { startSeaweed } from './seaweed.ts'
export { shared } from './shared.ts'
export { startThrottle } from './throttle.ts'
export { startToxiproxy } from './toxiproxy.ts'
export { startVersitygw } from './versitygw.ts'

const made: string[] = []

// On the file's own level, so that `scratch` may be called from a test, a hook or beside them.
afterAll(async () => {
  await Promise.all(made.map(removeDir))
})

/** A fresh folder that is removed after the tests of the file. */
export async function scratch(): Promise<string> {
  const dir = await freshDir('test')
  made.push(dir)
  return dir
}

/** What `starting` gives; where this machine cannot have it, the test is skipped with the reason. */
export async function orSkip<T>(context: TestContext, starting: Promise<T>): Promise<T> {
  try {
    return await starting
  } catch (error) {
    if (error instanceof LabMissing) context.skip(error.message)
    throw error
  }
}
