import type { Format } from './format.ts'
import { beginsAsPickle, hasProtocol, judgeOldPickle, judgePickleAt } from './pickle-verdict.ts'

/** Names that other formats have as well, and that nothing but a pickle has which begins as one. */
const shared = ['.pt', '.pth', '.ckpt']
const names = ['.pkl', '.pickle', '.pck', '.cloudpickle', '.cpkl', '.dill', '.joblib']

/** What pickle, cloudpickle, dill, and joblib without compression write. */
export const pickle: Format = {
  id: 'pickle',
  title: 'a pickle',
  names,
  // `N.`, in protocol 0.
  least: 2,
  recognises: beginsAsPickle,
  judge: (file, name) => {
    const promised = [...names, ...shared].some((ending) => name.toLowerCase().endsWith(ending))
    if (hasProtocol(file.head, 0) || (promised && file.head[0] === 0x80)) return judgePickleAt(file, 0, promised)
    return judgeOldPickle(file)
  },
}
