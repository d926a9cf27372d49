import { afterAll } from 'vitest'
import { openServer } from '../../src/mlflow/server.ts'
import { proxiedStore } from '../../src/stores/proxied.ts'
import type { Store } from '../../src/stores/store.ts'
import { shared, startMlflow } from '../lab/index.ts'
import { type Subject, storeContract } from './contract.ts'
import { settingsWith } from './s3-settings.ts'

const through = (url: string, root: string) => async (): Promise<Store> => {
  const server = await openServer(settingsWith({}, url))
  const store = proxiedStore(server, `mlflow-artifacts:/${root}`, 'test')
  return {
    ...store,
    close: async () => {
      await store.close()
      server.close()
    },
  }
}

const abilities: Omit<Subject, 'open'> = { resumes: false, lists: false, proves: false, without: ['per%20cent', 'a#b'] }
const { mlflowS3, mlflowFolder } = shared()

storeContract('MLflow over S3, by signed parts', { ...abilities, open: through(mlflowS3.url, 'contract/artifacts') })
storeContract('MLflow over a folder', { ...abilities, open: through(mlflowFolder.url, 'contract/artifacts') })

const gunicorn = await startMlflow({ engine: 'gunicorn' })
afterAll(() => gunicorn.stop())
storeContract('MLflow over a folder, under gunicorn', {
  ...abilities,
  open: through(gunicorn.url, 'contract/artifacts'),
})
