/** Accelerate's configurations: one GPU, several with a copy each (DDP), sharded (FSDP), sharded and offloadable (DeepSpeed ZeRO-3). */

const COMMON = ['compute_environment: LOCAL_MACHINE', 'debug: false', 'machine_rank: 0', 'main_training_function: main', 'num_machines: 1', 'rdzv_backend: static', 'same_network: true', 'use_cpu: false'];

function yaml(lines: readonly string[]): string {
  return `${[...COMMON, ...lines].join('\n')}\n`;
}

/** By path in the bundle. `num_processes` is to be the number of GPUs: --num_processes on the command line wins. */
export const ACCELERATE_FILES: Readonly<Record<string, string>> = {
  'accelerate/one-gpu.yaml': yaml(["distributed_type: 'NO'", 'mixed_precision: bf16', 'num_processes: 1']),
  'accelerate/ddp.yaml': yaml(['distributed_type: MULTI_GPU', 'gpu_ids: all', 'mixed_precision: bf16', 'num_processes: 2']),
  'accelerate/fsdp.yaml': yaml([
    'distributed_type: FSDP',
    'fsdp_config:',
    '  fsdp_version: 2',
    '  fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP',
    '  fsdp_cpu_ram_efficient_loading: false',
    '  fsdp_offload_params: false',
    '  fsdp_reshard_after_forward: true',
    '  fsdp_state_dict_type: FULL_STATE_DICT',
    'mixed_precision: bf16',
    'num_processes: 2',
  ]),
  'accelerate/zero3.yaml': yaml([
    'distributed_type: DEEPSPEED',
    'deepspeed_config:',
    '  deepspeed_multinode_launcher: standard',
    '  gradient_accumulation_steps: auto',
    '  offload_optimizer_device: none',
    '  offload_param_device: none',
    '  zero3_init_flag: false',
    '  zero3_save_16bit_model: true',
    '  zero_stage: 3',
    'mixed_precision: bf16',
    'num_processes: 2',
  ]),
};
