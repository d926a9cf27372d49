import { type Keeper, keeper } from '../src/needs/canaries.ts'

/** The keeper of canaries that a run of `user` would have, with its journal below `home`; what it would undo at the end of the run is put into `undo`. */
export const keeping = (undo: (() => Promise<void> | void)[], home: string, user = 'me'): Keeper =>
  keeper({
    context: { host: { env: { USER: user }, cwd: '/', home, platform: 'linux', ask: undefined } },
    onClose: (act) => {
      undo.push(act)
    },
  })
