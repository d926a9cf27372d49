import { homedir, tmpdir } from 'node:os'

/** Containers that run under a random user id have no home that the system knows. */
export const homeOf = (env: Readonly<Record<string, string | undefined>>): string => {
  try {
    return env.HOME || homedir()
  } catch {
    return tmpdir()
  }
}
