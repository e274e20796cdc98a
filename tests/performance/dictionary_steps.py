"""Steps of training of one dictionary, brodmann's and three others', in turn; prints one JSON object.

Run by the Python of an environment that has the others: python dictionary_steps.py N_ROUNDS THREADS. Each does its own
whole step: loss with AuxK's accounting, gradient, projection, clipping, Adam, norms. On one thread the processor's time
is taken, which work of others on the machine does not change; on several the clock's.
"""

import json
import resource
import statistics
import sys
import time

import torch

D, F, K, BATCH = 512, 4096, 32, 4096
ROUNDS, THREADS = int(sys.argv[1]), int(sys.argv[2])


def brodmann(precision):
    """Our step in one precision."""
    from brodmann.analysis.interpretability.learning.learner import Learner
    from brodmann.analysis.interpretability.learning.settings import Settings

    learner = Learner(Settings(F, K, batch_size=BATCH, n_rows=BATCH * 1000, precision=precision), D, D, 10**7)
    return lambda x: learner.step(x, x)["fvu"]


def sparsify():
    """EleutherAI's SparseCoder with the step of its trainer."""
    from sparsify import SparseCoder, SparseCoderConfig

    coder = SparseCoder(D, SparseCoderConfig(num_latents=F, k=K))
    optimizer = torch.optim.Adam(coder.parameters(), lr=2e-4)
    fired = torch.zeros(F, dtype=torch.int64)

    def step(x):
        coder.set_decoder_norm_to_unit_norm()
        out = coder(x, dead_mask=fired > 10_000_000)
        (out.fvu + out.auxk_loss / 32).backward()
        coder.remove_gradient_parallel_to_decoder_directions()
        optimizer.step()
        optimizer.zero_grad()
        fired.add_(len(x))
        fired[out.latent_indices.flatten()] = 0
        return out.fvu.item()

    return step


def dictionary_learning():
    """The TopKTrainer of dictionary_learning."""
    from dictionary_learning.trainers.top_k import TopKTrainer

    trainer = TopKTrainer(
        steps=1000, activation_dim=D, dict_size=F, k=K, layer=0, lm_name="", device="cpu", warmup_steps=10
    )
    count = iter(range(1, 10**6))

    def step(x):
        trainer.update(next(count), x)
        with torch.no_grad():
            return 0.0

    return step


def sae_lens():
    """SAELens's TopKTrainingSAE with the step of its trainer."""
    from sae_lens.saes.sae import TrainStepInput
    from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig

    sae = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=D, d_sae=F, k=K))
    optimizer = torch.optim.Adam(sae.parameters(), lr=2e-4)
    silent = torch.zeros(F)

    def step(x):
        given = TrainStepInput(
            sae_in=x,
            coefficients={},
            dead_neuron_mask=silent > 1000,
            n_training_steps=0,
            is_logging_step=False,
        )
        out = sae.training_forward_pass(given)
        with torch.no_grad():
            acts = out.feature_acts.to_dense() if out.feature_acts.is_sparse else out.feature_acts
            silent.add_(1)
            silent[(acts > 0).any(0)] = 0
        out.loss.backward()
        torch.nn.utils.clip_grad_norm_(sae.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return out.losses["mse_loss"].item()

    return step


def main():
    """Time all in turn."""
    torch.set_num_threads(THREADS)
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(1024, D, generator=generator) / D**0.5
    batches = [((torch.rand(BATCH, 1024, generator=generator) < 0.03) * 1.0) @ hidden for _ in range(4)]
    scale = torch.cat(batches).std()
    batches = [(one - one.mean(0)) / scale for one in batches]
    makers = {
        "brodmann bf16": lambda: brodmann("bf16"),
        "brodmann fp32": lambda: brodmann("fp32"),
        "sparsify": sparsify,
        "dictionary-learning": dictionary_learning,
        "sae-lens": sae_lens,
    }
    steps, absent, seconds = {}, {}, {}
    for name, make in makers.items():
        try:
            steps[name] = make()
            steps[name](batches[0])
        except Exception as error:  # a peer that is not there, or of another version, is named and left out
            if name.startswith("brodmann"):
                raise
            steps.pop(name, None)
            absent[name] = repr(error)[:200]
    clock = time.process_time if THREADS == 1 else time.perf_counter
    for round_ in range(ROUNDS):
        for name, step in steps.items():
            started = clock()
            step(batches[round_ % len(batches)])
            seconds.setdefault(name, []).append(clock() - started)
    print(
        json.dumps(
            {
                "rows_a_second": {name: BATCH / statistics.median(all_) for name, all_ in seconds.items()},
                "seconds": seconds,
                "absent": absent,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
