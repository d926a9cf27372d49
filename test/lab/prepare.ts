import { installFromApt } from './apt.ts'
import { buildGoPrograms } from './go.ts'
import { MLFLOW_VERSIONS, mlflowPython, storesPython } from './venv.ts'

/** Programs of the tests, and Debian's packages that bring them: servers, a browser, a terminal, and the shells that complete. */
const debian = {
  ...{ nginx: 'nginx-light', haproxy: 'haproxy' },
  ...{ chromium: 'chromium', tmux: 'tmux', zsh: 'zsh', fish: 'fish' },
}

/** Everything that the tests install, before any of them starts, so that none waits for it inside its own time limit. */
export async function prepare(): Promise<void> {
  const pip = async () => {
    // One after another: pip alone uses a whole core.
    await storesPython()
    for (const version of MLFLOW_VERSIONS) await mlflowPython(version)
  }
  await Promise.all([pip(), buildGoPrograms(), installFromApt(debian)])
}
