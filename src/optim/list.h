/* OPTIMIZER(name, default learning rate, buffers of state, about) */
OPTIMIZER(sgd, 1.0, 0, "stochastic gradient descent")
OPTIMIZER(momentum, 0.1, 1, "sgd with classical momentum")
OPTIMIZER(nesterov, 0.1, 1, "sgd with Nesterov momentum (Sutskever et al. 2013)")
OPTIMIZER(rmsprop, 0.001, 1, "gradient divided by its running root mean square (Tieleman & Hinton 2012)")
OPTIMIZER(adam, 0.002, 2, "running mean over running deviation (Kingma & Ba 2015)")
OPTIMIZER(adamw, 0.002, 2, "adam with decoupled weight decay (Loshchilov & Hutter 2019)")
