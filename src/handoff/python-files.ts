/** The training script and its modules, as they lie in python/. */
import init from './python/lorikeet/__init__.py?raw';
import log from './python/lorikeet/log.py?raw';
import losses from './python/lorikeet/losses.py?raw';
import model from './python/lorikeet/model.py?raw';
import order from './python/lorikeet/order.py?raw';
import reference from './python/lorikeet/reference.py?raw';
import samples from './python/lorikeet/samples.py?raw';
import trainer from './python/lorikeet/trainer.py?raw';
import train from './python/train.py?raw';

/** By path in the bundle. */
export const PYTHON_FILES: Readonly<Record<string, string>> = {
  'train.py': train,
  'lorikeet/__init__.py': init,
  'lorikeet/log.py': log,
  'lorikeet/losses.py': losses,
  'lorikeet/model.py': model,
  'lorikeet/order.py': order,
  'lorikeet/reference.py': reference,
  'lorikeet/samples.py': samples,
  'lorikeet/trainer.py': trainer,
};

/** Oldest versions that know these models; bitsandbytes and deepspeed only where they are wanted. */
export const REQUIREMENTS = `torch>=2.6
torchvision
transformers>=5.0
accelerate>=1.10
peft>=0.17
safetensors
pillow
numpy
# TRL's trainers, where you want them rather than transformers' own:
trl>=0.25
# 4 and 8 bits on CUDA:
bitsandbytes>=0.45; platform_system != "Darwin"
# accelerate/zero3.yaml:
# deepspeed
`;
