/** The training script and its modules, as they lie in python/. */
import init from './python/lorikeet/__init__.py?raw';
import answers from './python/lorikeet/answers.py?raw';
import grpo from './python/lorikeet/grpo.py?raw';
import log from './python/lorikeet/log.py?raw';
import losses from './python/lorikeet/losses.py?raw';
import model from './python/lorikeet/model.py?raw';
import optimizer from './python/lorikeet/optimizer.py?raw';
import order from './python/lorikeet/order.py?raw';
import reference from './python/lorikeet/reference.py?raw';
import rewardAnswers from './python/lorikeet/reward_answers.py?raw';
import rewards from './python/lorikeet/rewards.py?raw';
import samples from './python/lorikeet/samples.py?raw';
import trainer from './python/lorikeet/trainer.py?raw';
import train from './python/train.py?raw';

/** By path in the bundle. */
export const PYTHON_FILES: Readonly<Record<string, string>> = {
  'train.py': train,
  'lorikeet/__init__.py': init,
  'lorikeet/answers.py': answers,
  'lorikeet/grpo.py': grpo,
  'lorikeet/log.py': log,
  'lorikeet/losses.py': losses,
  'lorikeet/model.py': model,
  'lorikeet/optimizer.py': optimizer,
  'lorikeet/order.py': order,
  'lorikeet/reference.py': reference,
  'lorikeet/reward_answers.py': rewardAnswers,
  'lorikeet/rewards.py': rewards,
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
# TRL's trainers: reward training needs them, for the rest transformers' own will do.
trl>=1.13
# 4 and 8 bits on CUDA:
bitsandbytes>=0.45; platform_system != "Darwin"
# accelerate/zero3.yaml:
# deepspeed
`;
