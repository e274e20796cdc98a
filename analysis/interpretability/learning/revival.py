"""Features that have died: trained on what the living leave (AuxK), or set anew on rows that are badly explained."""

import torch
from torch import Tensor

from ..codes import Weights
from ..sparse_products.products import piece_rows


def revival_loss(weights: Weights, x: Tensor, residual: Tensor, dead: Tensor) -> Tensor:
    """AuxK: what the strongest dead features leave of the error of the living (Gao et al. 2024).

    ``||e - e^||^2 / ||e - mean e||^2 * min(1, n_dead / k_aux)``: e the residual, without gradient, in the scaled space,
    and e^ the decoded sum of the ``k_aux = d / 2`` largest answers among dead features. Answers below zero count, too:
    a feature that is silent for every row has no other way back.

    Parameters
    ----------
    weights : Weights
    x : Tensor of shape (n, d)
        Scaled rows.
    residual : Tensor of shape (n, d_out)
        ``y - y^``.
    dead : int64 Tensor of shape (n_dead,)
        At least one.

    Returns
    -------
    Tensor of shape ()
    """
    residual = residual.detach()
    wanted = max(1, residual.shape[1] // 2)
    encoder, bias, decoder = weights.encoder[dead], weights.encoder_bias[dead], weights.decoder[dead]
    centred = x - weights.bias.detach()
    left, step = x.new_zeros(()), piece_rows(len(dead)) * 4
    for start in range(0, len(x), step):
        answers = torch.addmm(bias, centred[start : start + step], encoder.T)
        if len(dead) > wanted:
            least = answers.detach().topk(wanted, dim=1, sorted=True).values[:, -1:]
            answers = torch.where(answers >= least, answers, 0.0)
        made = answers @ decoder
        left = left + (residual[start : start + step] - made).square().sum()
    spread = residual.var(0, correction=0).sum() * len(residual)
    return left / spread.clamp_min(1e-12) * min(1.0, len(dead) / wanted)


@torch.no_grad()
def resample(
    weights: Weights,
    moments: dict[str, tuple[Tensor, Tensor]],
    x: Tensor,
    losses: Tensor,
    dead: Tensor,
    generator: torch.Generator,
) -> None:
    """Set dead features on rows drawn with probability in proportion to their squared loss (Bricken et al. 2023).

    The decoder's row becomes the row's unit vector, the encoder's that times a fifth of the mean norm of living encoder
    rows, the bias 0; Adam forgets them.

    Parameters
    ----------
    weights : Weights
    moments : dict of str to (Tensor, Tensor)
        Adam's, by the name of the weight.
    x : Tensor of shape (n, d)
        Scaled rows.
    losses : Tensor of shape (n,)
        ``||x - x^||^2``.
    dead : int64 Tensor
    generator : torch.Generator
    """
    chances = losses.double().square()
    drawn = torch.multinomial(chances / chances.sum(), len(dead), replacement=True, generator=generator)
    directions = torch.nn.functional.normalize(x[drawn] - weights.bias, dim=1)
    living = torch.ones(weights.n_features, dtype=torch.bool)
    living[dead] = False
    size = (
        weights.encoder[living].norm(dim=1).mean()
        if bool(living.any())
        else weights.encoder.norm(dim=1).mean()
    )
    weights.decoder[dead] = directions
    weights.encoder[dead] = directions * (0.2 * size)
    weights.encoder_bias[dead] = 0
    for name in ("encoder", "decoder", "encoder_bias"):
        for moment in moments.get(name, ()):
            moment[dead] = 0
